#!/usr/bin/env bash
# GCC 12: _tile_loadconfig tells the optimizer that it reads 8 of the 64 bytes of a tile configuration. Stores to the
# other bytes are taken for dead and left out, so that the processor is given garbage for columns and rows and raises a
# fault. Any program that fills a configuration on its stack and loads it is affected, at -O1 and above.
#
# Usage: findings/gcc12_tile_loadconfig_loses_most_of_the_configuration.sh   exit 0: still so; 1: it behaves otherwise
# now; 2: not tried (another compiler than GCC 12). Compiles only: no processor with AMX is needed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
compiler=$(command -v g++-12 || command -v g++) || exit 2
version=$("$compiler" -dumpfullversion)
case $version in 12.*) ;; *) echo "g++ is $version, not 12"; exit 2 ;; esac
[ "$(uname -m)" = x86_64 ] || exit 2

cat >"$folder/tiles.cpp" <<'CPP'
#include <immintrin.h>
#include <cstring>

struct alignas(64) Configuration {
    unsigned char palette, start_row, reserved[14];
    unsigned short columns[16];
    unsigned char rows[16];
};

void load() {
    Configuration tiles;
    std::memset(&tiles, 0, sizeof tiles);
    tiles.palette = 1;
    tiles.columns[0] = 0x1234;
    tiles.rows[0] = 0x56;
    _tile_loadconfig(&tiles);
}
CPP
count() { { grep -cE '\$(4660|86),' || true; } ; }
"$compiler" -O2 -mamx-tile -S -o "$folder/optimized.s" "$folder/tiles.cpp"
"$compiler" -O0 -mamx-tile -S -o "$folder/plain.s" "$folder/tiles.cpp"
plain=$(count <"$folder/plain.s") optimized=$(count <"$folder/optimized.s")
echo "expected: 2 stores (columns and rows) before ldtilecfg at -O0 and at -O2"
echo "real: g++ $version: $plain at -O0, $optimized at -O2"
if [ "$plain" = 2 ] && [ "$optimized" = 0 ]; then echo "as found"; else echo "it behaves otherwise now"; exit 1; fi
