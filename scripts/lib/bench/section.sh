# shellcheck shell=bash
# The sections of docs/benchmarks.md that scripts write one by one. Needs common.sh and the folder
# $WORK.

# replace_section TITLE: standard input in place of the section "## TITLE" of the page, or behind all
# others.
replace_section() {
    local page=$ROOT/docs/benchmarks.md
    cat >"$WORK/section.md"
    awk -v title="## $1" -v file="$WORK/section.md" '
        function write_section(line) {
            while ((getline line < file) > 0) print line
            is_written = 1
        }
        /^## / {
            is_old = ($0 == title)
            if (is_old) { write_section(); is_first = 1 } else if (is_first) { print ""; is_first = 0 }
        }
        !is_old
        END { if (!is_written) { print ""; write_section() } }
    ' "$page" >"$WORK/page.md"
    cat "$WORK/page.md" >"$page"
    echo "$page"
}
