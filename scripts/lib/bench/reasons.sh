# shellcheck shell=bash
# Why a target was missed, as far as the figures of the same run prove it. Called for missed
# targets only. Needs the functions of report.sh.

# Prints the reason for missing target $2 of engine $1.
reason() {
    local engine=$1 target=$2
    case $target in
        'zstd time') processor_time "$engine" zstd 1.20 ;;
        'gzip time') processor_time "$engine" gzip 1.60 ;;
        *) echo 'the figures of this run do not say why.' ;;
    esac
}

# What a job computes cannot be done in less time than all cores need for it: says how much of the
# time that explains, and what the bare dump left over. $3 is the limit.
processor_time() {
    local engine=$1 variant="ours, $2"
    awk -v cores="$(nproc)" -v limit="$3" \
        -v seconds="$(median "$engine" "$variant" 3)" \
        -v ours="$(median "$engine" "$variant" 4)" \
        -v server="$(median "$engine" "$variant" 7)" \
        -v bare_seconds="$(median "$engine" 'dump to /dev/null' 3)" \
        -v bare_tool="$(median "$engine" 'dump to /dev/null' 4)" \
        -v bare_server="$(median "$engine" 'dump to /dev/null' 7)" 'BEGIN {
        least = (ours + server) / cores
        printf "the server took %.2f CPU seconds, the tool and the processor %.2f: even %d cores that never wait need %.2f s, which is %.2f × the bare dump. ", server, ours, cores, least, least / bare_seconds
        if (least > limit * bare_seconds)
            printf "On this machine the limit is out of reach. "
        printf "They were busy for %.0f %% of the %.2f s. The bare dump alone took %.2f (server) and %.2f (tool) of the %.2f that its %.2f s on %d cores offer.\n", 100 * least / seconds, seconds, bare_server, bare_tool, cores * bare_seconds, bare_seconds, cores
    }'
}
