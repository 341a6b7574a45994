#!/usr/bin/env bash
# run.sh SECONDS [TARGET...]: builds the fuzz targets and runs each of them (or those that are named) so long.
#
# What is found on the way is kept in target/fuzz/corpus and built upon the next time; what makes a target fail lies in
# target/fuzz/found. Ends with 1 where something failed. FUZZ_PROFILE: release, or short (built sooner, runs slower).
# FUZZ_SEED: what the changes are drawn from; another one each time where it is left out.
# docs/fuzzing.md says more.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:?run.sh SECONDS [TARGET...]}
shift
out=${CARGO_TARGET_DIR:-$PWD/../target}/fuzz
profile=${FUZZ_PROFILE:-release}
in_c="control control_request hmac json_read"
in_rust=$(cd targets && ls -- *.rs | sed 's/\.rs$//')
wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || read -ra wanted <<<"$(echo $in_rust $in_c)"

say() { printf '%s\n' "$*" >&2; }
is_in() { # is_in WORD WORDS
    case " $(echo $2) " in *" $1 "*) true ;; *) false ;; esac
}

left_out=()
rust=() c=()
for target in "${wanted[@]}"; do
    if is_in "$target" "$in_c"; then
        c+=("$target")
    elif is_in "$target" "$in_rust"; then
        rust+=("$target")
    else
        say "There is no target $target. There are:" $in_rust $in_c
        exit 2
    fi
done

host=$(rustc -vV | sed -n 's/^host: //p')
if [ ${#rust[@]} -gt 0 ]; then
    command -v c++ >/dev/null || {
        say "No C++ compiler (c++), which libFuzzer is built with. Debian, Ubuntu: apt-get install g++"
        exit 1
    }
    # libFuzzer's own feedback, as cargo-fuzz asks for it; all of it is in the stable compiler. With --target, so that
    # what runs while building is built as ever.
    passes="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
    passes+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
    passes+=" -Cllvm-args=-sanitizer-coverage-trace-compares"
    bins=()
    for target in "${rust[@]}"; do bins+=(--bin "$target"); done
    CARGO_TARGET_DIR=$out RUSTFLAGS="$passes --cfg fuzzing -Cdebug-assertions" \
        "${CARGO:-cargo}" build --locked --quiet --profile "$profile" --target "$host" "${bins[@]}"
fi
if [ ${#c[@]} -gt 0 ]; then
    if command -v clang >/dev/null; then
        make -s OUT="$out/c" -C c "${c[@]/#/$out/c/}"
    else
        left_out=("${c[@]}")
        c=()
    fi
fi

# The program's smallest threads have 2 MiB; without optimisation a frame takes more, here less.
ulimit -s 2048
mkdir -p "$out/found" "$out/logs"
failed=()
printf '%-16s %12s %9s %7s %9s %7s\n' target executions 'a second' edges features inputs
for target in ${rust[@]+"${rust[@]}"} ${c[@]+"${c[@]}"}; do
    program=$out/$host/$profile/$target
    is_in "$target" "$in_c" && program=$out/c/$target
    folders=("$out/corpus/$target" "corpus/$target")
    case $target in
        capture) folders+=(../tests/captures) ;;
        notation) folders+=(../tests/scripts) ;;
        rules) folders+=(../rules) ;;
    esac
    mkdir -p "${folders[0]}"
    log=$out/logs/$target
    if "$program" "${folders[@]}" -artifact_prefix="$out/found/$target-" -max_total_time="$seconds" -timeout=20 \
        -seed="${FUZZ_SEED:-0}" -rss_limit_mb=1024 -print_final_stats=1 -reload=0 >"$log" 2>&1; then
        sed -n 's/^#\([0-9]*\)\tDONE.* cov: \([0-9]*\) ft: \([0-9]*\) corp: \([0-9]*\).*exec\/s: \([0-9]*\).*/\1 \5 \2 \3 \4/p' "$log" |
            { read -r a b d e f && printf '%-16s %12s %9s %7s %9s %7s\n' "$target" "$a" "$b" "$d" "$e" "$f"; }
    else
        failed+=("$target")
        printf '%-16s FAILED; the whole log: %s\n' "$target" "$log"
        grep -m1 -A3 -E 'panicked at|ERROR: |runtime error' "$log" || tail -n 5 "$log"
        file=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        [ -z "$file" ] || printf 'Once more: %s %s\n' "$program" "$file"
    fi
done
[ ${#left_out[@]} -eq 0 ] || say "NOT RUN: ${left_out[*]}: they need clang (Debian, Ubuntu: apt-get install clang)"
[ ${#failed[@]} -eq 0 ] || {
    say "Failed: ${failed[*]}. Mend what it shows, and keep the input: fuzz/keep.sh adds it to fuzz/corpus."
    exit 1
}
