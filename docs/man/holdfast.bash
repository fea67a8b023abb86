# bash completion for holdfast: commands, options and their words come from the program's own help.

_holdfast_words() { # the first words of the rows of a help text that begin with "$1"
	sed -n "s/^ \{2,6\}\(-[A-Za-z], \)\{0,1\}\($1[a-z-]*\).*/\2/p"
}

_holdfast_help() { # PROGRAM COMMAND [WORD...]; a WORD that is an option would take --help for its value, and the command run
	"$1" "$2" --help
	[[ ${3--} == -* ]] || "$1" "$2" "$3" --help
} 2>/dev/null

_holdfast() {
	local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local group=("${COMP_WORDS[@]:1:COMP_CWORD-1}") words

	if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "$previous" = help ]; }; then
		words="$("$program" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\).*/\1/p' | uniq)"
	elif [[ $current == -* ]]; then
		words="$(_holdfast_help "$program" "${group[@]}" | _holdfast_words --)"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $previous == store || $previous == dead || $previous == hooks || $previous == pki ]]; then
		words="$("$program" "$previous" --help 2>/dev/null | sed -n "s/^  $previous \([a-z]*\).*/\1/p")"
	elif [[ $previous == --* ]]; then # one of "ec|rsa"
		words="$(_holdfast_help "$program" "${group[@]}" |
			sed -n "s/^ \{2,6\}\(-[A-Za-z], \)\{0,1\}$previous \([a-z0-9.-]*|[^ ]*\).*/\2/p" | tr '|' '\n' | sort -u)"
	fi
	if [ -n "${words-}" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
	else
		compopt -o default
		COMPREPLY=()
	fi
}

complete -F _holdfast holdfast
