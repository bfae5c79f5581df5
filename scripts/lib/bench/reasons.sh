# shellcheck shell=bash
# Why a target was missed, as far as the figures of the same run prove it. Called for missed
# targets only. Needs the functions of report.sh.

# Prints the reason for missing target $2 of engine $1.
reason() {
    local engine=$1 target=$2
    case $target in
        'zstd time') full_cores "$engine" zstd ;;
        'gzip time') full_cores "$engine" gzip ;;
        *) echo 'the figures of this run do not say why.' ;;
    esac
}

# A job that keeps all cores busy cannot be faster without less work: says whose work it was.
full_cores() {
    local engine=$1 variant="ours, $2"
    awk -v cores="$(nproc)" \
        -v seconds="$(median "$engine" "$variant" 3)" \
        -v ours="$(median "$engine" "$variant" 4)" \
        -v server="$(median "$engine" "$variant" 7)" \
        -v bare_seconds="$(median "$engine" 'dump to /dev/null' 3)" \
        -v bare_tool="$(median "$engine" 'dump to /dev/null' 4)" \
        -v bare_server="$(median "$engine" 'dump to /dev/null' 7)" 'BEGIN {
        busy = (ours + server) / (cores * seconds)
        if (busy < 0.85) {
            printf "the figures of this run do not say why: the cores were busy for %.0f %% of the time.\n", busy * 100
            exit
        }
        printf "the job kept the %d cores busy for %.0f %% of its %.2f s: the server took %.2f CPU seconds, the tool and the processor %.2f. ", cores, busy * 100, seconds, server, ours
        printf "The bare dump alone took %.2f (server) and %.2f (tool) of the %.2f that its %.2f s on %d cores offer.\n", bare_server, bare_tool, cores * bare_seconds, bare_seconds, cores
    }'
}
