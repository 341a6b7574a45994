#!/usr/bin/env bash
# reproducible.sh: builds what is committed twice, in two folders, as `make install` builds it, and compares the bytes.
# Takes minutes, and some 2 GB below TMPDIR for as long as it runs.
set -euo pipefail

cd "$(git rev-parse --show-toplevel)"
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT

for folder in one another-and-longer; do
    mkdir "$there/$folder"
    git archive HEAD | tar -x -C "$there/$folder"
    echo "building in $there/$folder" >&2
    make -s -C "$there/$folder" release TARGET="$there/$folder/target" CARGO_TARGET_DIR="$there/$folder/target" >&2
done

same=0
for file in release/esp-tcpwatch twin/esp-tcpwatch-twin; do
    one=$(sha256sum < "$there/one/target/$file")
    another=$(sha256sum < "$there/another-and-longer/target/$file")
    if [ "$one" = "$another" ]; then
        echo "${one%% *}  ${file##*/}"
    else
        same=1
        echo "${file##*/} differs between two folders: ${one%% *} and ${another%% *}" >&2
        echo "  diffoscope, or \`strings\` and \`diff\`, tell where: most often a path of the folder it was built in" >&2
    fi
done
exit $same
