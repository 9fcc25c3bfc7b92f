# Completes maglevc's words, names and options in bash: eval "$(maglevc --completion bash)"
_maglevc() {
    local line="${COMP_LINE:0:COMP_POINT}" maglevc="${1/#\~\//$HOME/}" piece="" before="" begun="" answer word
    local -a said=()
    local -i at

    # bash parts words at : and = too. What stands without a blank between is one word of ours; bash replaces `piece`,
    # and keeps `before`.
    line="${line#"${COMP_WORDS[0]}"}"
    for ((at = 1; at <= COMP_CWORD; at++)); do
        if [[ $line == [[:blank:]]* ]]; then
            ((at > 1)) && said+=("$begun")
            before="" begun=""
            line="${line#"${line%%[![:blank:]]*}"}"
        fi
        piece="${COMP_WORDS[at]}"
        ((at == COMP_CWORD)) && piece="$line"
        before="$begun"
        begun+="$piece"
        line="${line#"$piece"}"
    done
    [[ $piece == [:=] ]] && before="$begun"

    COMPREPLY=()
    while IFS= read -r answer; do
        word="${answer%%$'\t'*}"
        if [[ -z $word ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$piece")
        else
            word="${word#"$before"}"
            [[ $piece == [\'\"]* ]] || printf -v word %q "$word"
            COMPREPLY+=("$word")
        fi
    done < <("$maglevc" --complete "${said[@]}" "$begun" 2>/dev/null)
}
complete -F _maglevc maglevc
