# awk -f embed.awk a.lua ... prints a C header with one macro a file, a string
# literal a line, so that scripts can be put together in C by writing their
# macros side by side.  Lines that are blank or only a comment are left out.

BEGIN {
    print "\n/* made by src/lua/embed.awk, not to be edited */"
}

FNR == 1 {
    name = FILENAME
    sub(/^.*\//, "", name)
    sub(/\.lua$/, "", name)
    printf "\n\n#define NGX_HTTP_IMAGEGRAM_LUA_%s", toupper(name)
}

/--\[=*\[/ {
    print FILENAME ":" FNR ": a block comment" > "/dev/stderr"
    exit 1
}

/^[ \t]*$/ || /^[ \t]*--/ {
    next
}

{
    gsub(/\\/, "&&")
    gsub(/"/, "\\\\&")
    printf " \\\n    \"%s\\n\"", $0
}

END {
    print ""
}
