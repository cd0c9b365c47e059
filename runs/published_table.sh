#!/bin/sh
# The published table: how good is each recipe on a recorder never heard?
#
#     sh runs/published_table.sh RECORDINGS OUT [TABLE]
#
# RECORDINGS: folder of recordings; TABLE: their labels and deployments (file_name,
# species_name, deployment, recording), where seacall prepare would not find it.
# OUT: gets dataset/ and protocol/; the table in Markdown is printed, and is
# OUT/protocol/protocol.md. Stopped, it goes on where it was when it is given again.
set -eu

if [ $# -lt 2 ]; then
    sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 2
fi
recordings=$1
out=$2
table=${3:-}

# What is published. Other recipes, protocols and seeds: RECIPES="student" SEEDS=1 sh ...
protocols=${PROTOCOLS:-"folds random"}
recipes=${RECIPES:-"student teacher distilled"}
seeds=${SEEDS:-3}
n_folds=${N_FOLDS:-5}
epochs=${EPOCHS:-30}

mkdir -p "$out"
if [ ! -e "$out/dataset/dataset.json" ]; then
    # 3: some files were left out, which prepare has listed.
    seacall prepare "$recordings" ${table:+--table "$table"} -o "$out/dataset" >&2 ||
        [ $? -eq 3 ]
fi

set -- --seeds "$seeds" --n-folds "$n_folds" --epochs "$epochs"
for name in $protocols; do set -- "$@" --protocol "$name"; done
for name in $recipes; do set -- "$@" --recipe "$name"; done
if [ -n "${CONFIG:-}" ]; then set -- "$@" --config "$CONFIG"; fi
seacall evaluate "$out/dataset" -o "$out/protocol" "$@" >&2 || [ $? -eq 3 ]
cat "$out/protocol/protocol.md"
