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

# A dump tool is one thread: our backup takes as long as the tool computes and waits. Says how long
# it waited for a core because server and processor computed on them, and what all cores together
# could do at best. $3 is the limit.
processor_time() {
    local engine=$1 variant="ours, $2"
    awk -v cores="$(nproc)" -v limit="$3" \
        -v seconds="$(median "$engine" "$variant" 3)" \
        -v ours="$(median "$engine" "$variant" 4)" \
        -v server="$(median "$engine" "$variant" 7)" \
        -v computed="$(median "$engine" "$variant" 8)" \
        -v waited="$(median "$engine" "$variant" 9)" \
        -v bare="$(median "$engine" 'dump to /dev/null' 3)" 'BEGIN {
        printf "the tool, which is one thread, computed for %.2f s and waited %.2f s for one of the %d cores, since the server (%.2f CPU s) and the processor (%.2f) compute on them as well. Without that wait it would be %.2f × the bare dump. ", computed, waited, cores, server, ours - computed, (seconds - waited) / bare
        least = (ours + server) / cores
        printf "Cores that never rest need %.2f s for all of it, %.2f × the bare dump", least, least / bare
        print (least > limit * bare) ? ": on this machine the limit is out of reach." : "."
    }'
}
