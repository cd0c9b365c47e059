#!/bin/sh
# Humpbacks off Samana against noise: what the model in the package detects, and what a
# student does that was shown the other recordings.
#
#     sh runs/samana.sh RECORDINGS OUT [START]
#
# RECORDINGS: folder with samana/, sanctsound/ and manifest.csv.
# OUT: gets shipped/ and adapted/, each with report.html. Stopped, it goes on where it
# was when it is given again.
# START: student to go on from, such as the trunk of runs/train_shipped.sh; it keeps
# what it knows and compares with each class's mean. Without it students are trained
# from a random start.
#
# Six folds: in each one recording is tested that the student did not hear, and noise of
# deployments that it did not hear. All six recordings are of one recorder, though.
set -eu

if [ $# -lt 2 ]; then
    sed -n '2,15p' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 2
fi
recordings=$1
out=$2
start=${3:-}
here=$(dirname "$0")

# Windows as the annotations have them; other lengths and steps: WINDOW=10 HOP=5 sh ...
window=${WINDOW:-3.8775}
hop=${HOP:-2.5}
train=${TRAIN:-"--all-clips --seed 0"}
if [ -n "$start" ]; then
    train="$train --start $start ${HEAD:---head prototypes}"
else
    train="$train --epochs ${EPOCHS:-20}"
fi

step() { echo "== $1" >&2; }
# 3: something was left out, which the command has listed.
some_left_out() { "$@" >&2 || [ $? -eq 3 ]; }
report() {
    seacall evaluate "$@" --annotations "$out/annotations.csv" --only-annotated \
        --window "$window" || [ $? -eq 3 ]
}

mkdir -p "$out"
python "$here/samana_tables.py" plan "$recordings" "$out" >&2

step "the model in the package"
some_left_out seacall detect "$out/recordings" -o "$out/run" \
    --hop "$hop" --workers "${WORKERS:-1}" --quiet
report --detections "$out/run" -o "$out/shipped"

for fold in "$out"/fold-*; do
    if [ -e "$fold/clips.csv" ]; then continue; fi
    step "$fold"
    rm -rf "$fold/dataset" "$fold/student"
    some_left_out seacall prepare "$out/recordings" --table "$fold/train.csv" \
        -o "$fold/dataset" --quiet
    # shellcheck disable=SC2086  # options, not one word
    some_left_out seacall train "$fold/dataset" -o "$fold/student" --network student \
        $train --quiet
    seacall detect --file-list "$fold/test.txt" -m "$fold/student" --hop "$hop" \
        --quiet >"$fold/clips.part"
    mv "$fold/clips.part" "$fold/clips.csv"
done

step "students adapted to the other recordings"
python "$here/samana_tables.py" scores "$out" >&2
report "$out/recordings" --detections "$out/adapted.csv" -o "$out/adapted"
