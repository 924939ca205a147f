#!/bin/sh
# A compiler that does nothing twice: cc_kept.sh FOLDER COMPILER ARGUMENTS... gives what COMPILER gave before for the same preprocessed
# text with the same flags, kept in FOLDER, which one run of all checks begins anew. Paths and macros have done their work in the text.
folder=$1 cc=$2
shift 2
flags=$cc source= out= skip=
for a; do
    [ "$skip" = out ] && out=$a
    [ -n "$skip" ] && skip= && continue
    case $a in
    -o) skip=out ;;
    -MF | -MT | -isystem) skip=yes ;;
    -MD | -D* | -I*) ;;
    -*) flags="$flags $a" ;;
    *.c) source="$source$a" ;;
    *) exec "$cc" "$@" ;; # objects and libraries: who knows what is in them
    esac
done
preprocessed() { # with what it depends on in a file, where that was asked for
    last=
    for a; do
        shift
        [ "$a" = -o ] || [ "$last" = -o ] || set -- "$@" "$a"
        last=$a
    done
    "$cc" "$@" -E -P
}
text=$folder/text-$$
[ -n "$source" ] && [ -n "$out" ] && preprocessed "$@" >"$text" 2>/dev/null || { rm -f "$text"; exec "$cc" "$@"; }
kept=$folder/$({ echo "$flags"; cat "$text"; } | sha256sum | cut -c1-64)
rm -f "$text"
[ -f "$kept" ] && cp "$kept" "$out" 2>/dev/null && exit
"$cc" "$@" || exit
{ cp "$out" "$kept-$$" && mv "$kept-$$" "$kept"; } 2>/dev/null || rm -f "$kept-$$"
exit 0
