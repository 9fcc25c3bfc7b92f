#compdef maglevc
# Completes maglevc's words, names and options in zsh: eval "$(maglevc --completion zsh)"
_maglevc() {
    local answer word
    local -a found
    for answer in "${(@f)$("${words[1]/#\~\//$HOME/}" --complete "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
        word="${answer%%$'\t'*}"
        if [[ $answer == $'\t'* ]]; then
            _files
        elif [[ -n $word ]]; then
            found+=("${word//:/\\:}:${answer#*$'\t'}")
        fi
    done
    _describe -t words maglevc found
}
if [[ ${funcstack[1]} == _maglevc ]]; then      # a file in fpath, which is loaded when it is first called
    _maglevc "$@"
else
    if (( ! $+functions[compdef] )); then
        autoload -Uz compinit && compinit
    fi
    compdef _maglevc maglevc
fi
