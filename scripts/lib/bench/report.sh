# shellcheck shell=bash
# Writes what scripts/bench measured, with the reasons for missed targets (reasons.sh).

# shellcheck disable=SC2154 # rounds and stream_gib are set by scripts/bench

# The median of column $3 (3 seconds, 4 CPU, 5 bytes, 6 KiB, 7 CPU of the server, 8 computing and 9
# waiting of the tool) over the rounds of a variant.
median() {
    awk -F'\t' -v engine="$1" -v variant="$2" -v column="$3" \
        '$1 == engine && $2 == variant { print $column }' "$RESULTS" | sort -n |
        awk '{ value[NR] = $1 } END { print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2 }'
}

# The largest of column $3.
largest() {
    awk -F'\t' -v engine="$1" -v variant="$2" -v column="$3" \
        '$1 == engine && $2 == variant && $column + 0 > most { most = $column } END { print most + 0 }' "$RESULTS"
}

quotient() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# "5.12 (4.98–5.31)": the median with the smallest and largest.
spread() {
    awk -F'\t' -v engine="$1" -v variant="$2" '$1 == engine && $2 == variant { print $3 }' "$RESULTS" | sort -n |
        awk -v median="$(median "$1" "$2" 3)" 'NR == 1 { least = $1 } { most = $1 }
            END { printf "%.2f (%.2f–%.2f)", median, least, most }'
}

# One row of an engine's table; ratios are to variant $3.
table_row() {
    local engine=$1 variant=$2 base=$3
    awk -v variant="$variant" -v spread="$(spread "$engine" "$variant")" \
        -v seconds="$(median "$engine" "$variant" 3)" -v base="$(median "$engine" "$base" 3)" \
        -v cpu="$(median "$engine" "$variant" 4)" -v bytes="$(median "$engine" "$variant" 5)" \
        -v kib="$(largest "$engine" "$variant" 6)" '
        function shown(figure) { return (figure > 0) ? sprintf("%.1f", figure) : "–" }
        BEGIN {
            printf "| %s | %s | %.2f | %s | %s | %s |\n", variant, spread, seconds / base,
                shown(cpu), shown(bytes / 1e6), shown(kib / 1024) }'
}

engine_tables() {
    local engine=$1 variant
    printf '\n### Backup: %s, %s MB of dump\n\n' "$engine" "$(awk -v bytes="$2" 'BEGIN { printf "%.0f", bytes / 1e6 }')"
    echo '| variant | seconds: median (least–most) | × bare dump | CPU s | stored MB | peak MiB |'
    echo '|---|---|---|---|---|---|'
    for variant in 'dump to /dev/null' 'dump | zstd -3' 'ours, zstd' 'dump | gzip -6' 'ours, gzip' 'dump -Fc'; do
        [ "$engine $variant" = 'mariadb dump -Fc' ] || table_row "$engine" "$variant" 'dump to /dev/null' |
            sed 's/dump | /dump \\| /'
    done
    printf '\n### Restore: %s\n\n' "$engine"
    echo '| variant | seconds: median (least–most) | × plain client | CPU s | stored MB | peak MiB |'
    echo '|---|---|---|---|---|---|'
    for variant in 'zstd -dc | client' 'ours, restore' 'ours, restore and comparison'; do
        table_row "$engine" "$variant" 'zstd -dc | client' | sed 's/dc | /dc \\| /'
    done
}

# One row of the targets: engine, which target, what it is called, limit, measured.
target() {
    local verdict=met
    if awk -v measured="$5" -v limit="$4" 'BEGIN { exit !(measured > limit) }'; then
        verdict='**missed**'
        printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$WORK/missed"
    fi
    echo "| $1: $3 | ≤ $4 | $5 | $verdict |"
}

targets() {
    local engine null codec
    : >"$WORK/missed"
    echo '| target | limit | measured | |'
    echo '|---|---|---|---|'
    for engine in postgresql mariadb; do
        null=$(median "$engine" 'dump to /dev/null' 3)
        target "$engine" 'zstd time' 'zstd, × bare dump' 1.20 \
            "$(quotient "$(median "$engine" 'ours, zstd' 3)" "$null")"
        target "$engine" 'gzip time' 'gzip, × bare dump' 1.60 \
            "$(quotient "$(median "$engine" 'ours, gzip' 3)" "$null")"
        target "$engine" 'gzip size' 'gzip, × size of gzip -6' 1.10 \
            "$(quotient "$(median "$engine" 'ours, gzip' 5)" "$(median "$engine" 'dump | gzip -6' 5)")"
        target "$engine" 'restore time' 'restore, × plain client' 1.05 \
            "$(quotient "$(median "$engine" 'ours, restore' 3)" "$(median "$engine" 'zstd -dc | client' 3)")"
        target "$engine" memory 'peak memory of the processor over all jobs, MiB' 64 "$(processor_peak "$engine")"
    done
    for codec in gzip zstd; do
        target stream memory "$stream_gib GiB, $codec: peak memory of the processor, MiB" 64 \
            "$(mebibytes "$(largest stream "ours, $codec" 6)")"
    done
}

mebibytes() { awk -v kib="$1" 'BEGIN { printf "%.1f", kib / 1024 }'; }

processor_peak() {
    awk -F'\t' -v engine="$1" '$1 == engine && $6 + 0 > most { most = $6 } END { printf "%.1f", most / 1024 }' "$RESULTS"
}

# A line for each missed target; nothing when all are met.
reasons() {
    local engine key title
    [ -s "$WORK/missed" ] || return 0
    printf '\nMissed, and why:\n\n'
    while IFS=$'\t' read -r engine key title; do
        printf '%s\n' "- *$engine: $title*: $(reason "$engine" "$key")"
    done <"$WORK/missed"
}

stream_table() {
    printf '\n### Synthetic dump of %s GiB through the real processor\n\n' "$stream_gib"
    cat <<TEXT
A stand-in for pg_dump writes the first 64 MiB of the dump again and again; all else is real.

| codec | seconds | CPU s | stored MB | peak MiB |
|---|---|---|---|---|
TEXT
    awk -F'\t' '$1 == "stream" { sub("ours, ", "", $2)
        printf "| %s | %.1f | %.1f | %.1f | %.1f |\n", $2, $3, $4, $5 / 1e6, $6 / 1024 }' "$RESULTS"
}

# The whole report.
report_text() {
    cat <<TEXT
# Benchmarks

Measured by \`scripts/bench --rounds $rounds --stream-gib $stream_gib\` on $(date -u +%Y-%m-%d), commit
$(git rev-parse --short HEAD), in one run in which the variants alternate; $rounds rounds, medians.

Machine: $(nproc) cores of $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo) of memory, kernel
$(uname -r | cut -d - -f 1); $("$POSTGRESQL_VERSION_OF" --version); $(mariadb-dump --version | sed 's/^[^ ]* *//').
Load average when it began: $LOAD_AT_START.

Servers, tools, services and store share the machine. The servers run without fsync; our store runs
as shipped. Data: wide text, JSON, numerics, unicode (\`scripts/lib/bench/data.*.sql\`). "Ours" is the
whole job in the real processor: sign-in, dump, two SHA-256, compression, blocks, commit, manifest,
history. CPU is that of tool and compressor, for ours of tool and processor; servers are not in it.
Peak is the largest resident memory of the processor during jobs of that kind, which all run one
after the other in one processor; that of a restore includes the backup before it.

## Targets

TEXT
    targets
    reasons
    printf '\nAt rest after all jobs: processor %s MiB, API %s MiB.\n' \
        "$(mebibytes "$REST_PROCESSOR")" "$(mebibytes "$REST_API")"
    printf '\n## Figures\n'
    engine_tables postgresql "$POSTGRESQL_DUMP_BYTES"
    engine_tables mariadb "$MARIADB_DUMP_BYTES"
    stream_table
}

# Writes the report to $1. The sections of scripts/bench-scale and scripts/bench-api stay.
write_report() {
    {
        report_text
        echo
        sed -n '/^## Scale of a tick$/,$p' "$ROOT/docs/benchmarks.md"
    } >"$WORK/report.md"
    cat "$WORK/report.md" >"$1"
}
