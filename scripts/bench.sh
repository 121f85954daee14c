#!/usr/bin/env bash
# Measures: the micro-benchmarks beside the code, then TPC-H natively and in the engine (SF=1 unless given).
# The table goes to bench/results/ as CSV and Markdown. Nothing else should run on the machine meanwhile.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
"$scripts/setup.sh" build
cargo bench --locked -p fusion_heapscan
mkdir -p bench/results
SF=${SF:-1} RESULTS=$root/bench/results/tpch-sf${SF:-1} "$scripts/demo.sh"
