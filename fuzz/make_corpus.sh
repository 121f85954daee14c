#!/bin/sh
# Makes corpus/page from the golden pages: all columns but `ext`, every normal line pointer; see fuzz_targets/page.rs.
set -eu
cd "$(dirname "$0")"
mkdir -p corpus/page
for pages in ../heapscan/tests/golden/pg*.pages; do
    count=$(($(wc -c <"$pages") / 8192))
    for block in $(seq 0 $((count - 1))); do
        {
            printf '\377\377\377\376\001'
            head -c 40 /dev/zero
            dd if="$pages" bs=8192 skip="$block" count=1 2>/dev/null
        } >"corpus/page/$(basename "$pages" .pages)-$block"
    done
done
