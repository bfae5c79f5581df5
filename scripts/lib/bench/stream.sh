# shellcheck shell=bash
# A dump that is longer than any database here: the real processor runs a stand-in for pg_dump,
# which writes the first 64 MiB of the real dump over and over and ends as pg_dump ends a dump.
# Needs measure.sh and a running PostgreSQL.

# shellcheck disable=SC2154 # stream_gib is set by scripts/bench

stream_tool() {
    local part_mib=64 tools=$WORK/tools
    mkdir "$tools"
    ln -s "$POSTGRESQL_BIN/psql" "$tools/psql"
    # A shorter dump than 64 MiB would make a shorter stream; the check of the length below sees it.
    { dump_postgresql || true; } 2>/dev/null | head -c $((part_mib << 20)) >"$WORK/stream.part"
    cat >"$tools/pg_dump" <<SCRIPT
#!/bin/bash
case "\$*" in
    *--version* | *--help*) exec "$POSTGRESQL_BIN/pg_dump" "\$@" ;;
esac
for ((part = 0; part < $((stream_gib * 1024 / part_mib)); part++)); do
    cat "$WORK/stream.part" || exit 1
done
printf '\\n--\\n-- PostgreSQL database dump complete\\n--\\n\\n'
SCRIPT
    chmod 755 "$tools/pg_dump"
    export DILUX_TOOL_PATH=$tools
}

measure_stream() {
    local codec=$1 plain
    measure_ours postgresql "$codec"
    plain=$(figure plain_bytes)
    [ "${plain%.*}" -gt $((stream_gib << 30)) ] || die "the stream had only $plain bytes"
    sed -i "\$s/^postgresql\tours, /stream\tours, /" "$RESULTS"
}
