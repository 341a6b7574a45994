#!/usr/bin/env bash
# keep.sh [TARGET...]: makes fuzz/corpus anew of what it holds and of what run.sh found since. What has a name stays: seeds
# and regressions. Of all others the few stay that reach together what all of them reach, the smallest first, and no more of
# them than a target's share of the room.
set -euo pipefail
cd "$(dirname "$0")"

out=${CARGO_TARGET_DIR:-$PWD/../target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
# Of one target: octets, and inputs. tests/corpus.rs allows 2 MiB in all.
share=$((32 * 1024))
most=150
targets=("$@")
[ $# -gt 0 ] || targets=($(ls corpus))

for target in "${targets[@]}"; do
    program=$out/c/$target
    [ -f "targets/$target.rs" ] && program=$out/$host/release/$target
    [ -x "$program" ] || { echo "$program is not built: fuzz/run.sh 1 $target builds it" >&2; exit 1; }
    merged=$(mktemp -d "$out/merged.XXXXXX")
    found=$out/corpus/$target
    mkdir -p "$found"
    "$program" -merge=1 -max_len=16384 -timeout=20 -artifact_prefix="$out/found/$target-" "$merged" "corpus/$target" \
        "$found" >"$out/logs/merge-$target" 2>&1
    new=$(mktemp -d "$out/kept.XXXXXX")
    room=$share count=0
    while read -r size file; do
        [ "$size" -le "$room" ] && [ "$count" -lt "$most" ] || break
        room=$((room - size)) count=$((count + 1))
        cp "$file" "$new/$(sha1sum "$file" | cut -c1-16)"
    done < <(find "$merged" -type f -printf '%s %p\n' | sort -n)
    while read -r file; do cp "$file" "$new/"; done \
        < <(find "corpus/$target" -type f -regextype posix-extended ! -regex '.*/[0-9a-f]{16}')
    rm -rf "corpus/$target" "$merged"
    mv "$new" "corpus/$target"
    chmod 755 "corpus/$target"
    printf '%-16s %5d inputs, %7d octets\n' "$target" "$(ls "corpus/$target" | wc -l)" \
        "$(cat "corpus/$target"/* | wc -c)"
done
