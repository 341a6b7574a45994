#!/usr/bin/env bash
# prerequisites.sh build|test: what the Makefile needs, installed where that is possible without a question,
# and named with the line to type where it is not. Asks the tools themselves, not the package database.
set -euo pipefail

purpose=${1:-build}
CC=${CC:-cc}
rust_wanted=1.88 # rust-version in Cargo.toml

say() { printf '%s\n' "$*" >&2; }

if ! command -v cargo >/dev/null; then
    say "No cargo. Install Rust from https://rustup.rs (any stable from $rust_wanted), open a new shell, and try again."
    exit 1
fi
rust=$(cargo --version | cut -d' ' -f2)
if [ "$(printf '%s\n' "$rust_wanted" "$rust" | sort -V | head -n1)" != "$rust_wanted" ]; then
    say "Rust $rust is too old: $rust_wanted or later is needed. Type: rustup update stable"
    exit 1
fi
if [ "$purpose" = test ]; then
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || {
        say "rustfmt or clippy is missing. Type: rustup component add rustfmt clippy"
        exit 1
    }
fi

links() { # links LIBRARY...: does a C program compile and link with them?
    local flags=() library
    for library in "$@"; do flags+=("-l$library"); done
    printf '#include <stdio.h>\nint main(void) { return 0; }\n' |
        "$CC" -x c - -o /dev/null ${flags[@]+"${flags[@]}"} >/dev/null 2>&1
}

install_line() { # install_line PACKAGE...: what apt is told
    printf '%s' "apt-get update && apt-get install -y --no-install-recommends $*"
}

become_root() { # sets as_root, or says no where a password would be asked for
    if [ "$(id -u)" = 0 ]; then
        as_root=()
    elif sudo -n true 2>/dev/null; then
        as_root=(sudo -n)
    else
        return 1
    fi
}

run_as_root() { ${as_root[@]+"${as_root[@]}"} sh -c "export DEBIAN_FRONTEND=noninteractive; $1" >&2; }

tshark_too() { # Wireshark's own reading of captures and of what is written; without it a few tests say that they were not run
    [ "$purpose" = test ] && command -v apt-get >/dev/null || return 0
    command -v tshark >/dev/null && return 0
    become_root || return 0
    say "For the tests that hold our reading against Wireshark's: tshark"
    run_as_root "$(install_line tshark)" || say "That failed (see above); those tests will not be run."
}

rv32() { # the compiler for a RISC-V chip: large (1.2 GB), and `make test` says NOT RUN and goes on without it
    local packages="gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"
    [ "$purpose" = test ] && command -v apt-get >/dev/null || return 0
    echo 'int main(void) { return 0; }' | riscv64-unknown-elf-gcc --specs=picolibc.specs \
        -march=rv32imc -mabi=ilp32 -x c - -c -o /dev/null 2>/dev/null && return 0
    become_root || return 0
    say "For make firmware-rv32: $packages"
    run_as_root "$(install_line "$packages")" || say "That failed (see above); make firmware-rv32 will not be run."
}

missing=()
if [ "$purpose" = test ] && [ "$(uname)" = Linux ]; then
    # What the firmware's tests are made with.
    for tool in python3 ip unshare; do command -v "$tool" >/dev/null || missing+=("$tool"); done
    # Debian keeps what makes a virtual environment apart.
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(venv)
fi
links || missing+=(compiler)
# Without a compiler the library cannot be asked for; it is then asked for as well, which does no harm.
links pcap || missing+=(pcap)
[ ${#missing[@]} -gt 0 ] || {
    tshark_too
    rv32
    exit 0
}

names() { # names COMPILER PCAP IP [VENV]: this system's packages for what is missing
    local thing
    for thing in "${missing[@]}"; do
        case $thing in
            compiler) printf '%s ' "$1" ;;
            pcap) printf '%s ' "$2" ;;
            ip) printf '%s ' "$3" ;;
            unshare) printf 'util-linux ' ;;
            python3) printf 'python3 ' ;;
            venv) printf '%s ' "${4:-python3}" ;;
        esac
    done
}

if command -v apt-get >/dev/null; then
    packages=$(names "gcc libc6-dev" libpcap-dev iproute2 python3-venv)
    line=$(install_line "$packages")
    become_root || {
        say "Missing: $packages"
        say "Type: sudo sh -c '$line'"
        exit 1
    }
    say "Missing: $packages"
    say "Running: $line"
    run_as_root "$line" || {
        say "That failed (see above). Install $packages yourself, then try again."
        exit 1
    }
    links pcap || {
        say "Still no C program links with libpcap; is '$CC' the compiler you mean (CC=...)?"
        exit 1
    }
    tshark_too
    rv32
elif command -v dnf >/dev/null; then
    say "Missing. Type: sudo dnf install $(names gcc libpcap-devel iproute)"
    exit 1
elif command -v pacman >/dev/null; then
    say "Missing. Type: sudo pacman -S $(names gcc libpcap iproute2)"
    exit 1
elif command -v apk >/dev/null; then
    say "Missing. Type: apk add $(names "gcc musl-dev" libpcap-dev iproute2)"
    exit 1
else
    say "Missing: $(names "a C compiler (cc), " "libpcap with its development files (-lpcap)" iproute2). On macOS: xcode-select --install"
    exit 1
fi
