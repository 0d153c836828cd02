# Made from the table of options by cli/src/pages.rs.
_tlsfinger() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    case $before in
        -a) mapfile -t COMPREPLY < <(compgen -W 'ipv4 ipv6 any' -- "$word"); return ;;
        -t) mapfile -t COMPREPLY < <(:); return ;;
        -T) mapfile -t COMPREPLY < <(:); return ;;
        -m) mapfile -t COMPREPLY < <(:); return ;;
        -r) mapfile -t COMPREPLY < <(:); return ;;
        --pause) mapfile -t COMPREPLY < <(:); return ;;
        -h) mapfile -t COMPREPLY < <(:); return ;;
        -M) mapfile -t COMPREPLY < <(compgen -W 'may encrypt dane' -- "$word"); return ;;
        -l) mapfile -t COMPREPLY < <(compgen -W 'none may encrypt fingerprint dane dane-only verify secure' -- "$word"); return ;;
        -g) mapfile -t COMPREPLY < <(compgen -W 'high medium null' -- "$word"); return ;;
        -p) mapfile -t COMPREPLY < <(:); return ;;
        -s) mapfile -t COMPREPLY < <(:); return ;;
        -H) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        -k) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        -K) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        -A) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        -d) mapfile -t COMPREPLY < <(:); return ;;
        -F) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        -P) mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
        -L) mapfile -t COMPREPLY < <(:); return ;;
        --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$word"); return ;;
        --warn-days) mapfile -t COMPREPLY < <(:); return ;;
        --critical-days) mapfile -t COMPREPLY < <(:); return ;;
        --concurrency) mapfile -t COMPREPLY < <(:); return ;;
        --rate) mapfile -t COMPREPLY < <(:); return ;;
        --per-host) mapfile -t COMPREPLY < <(:); return ;;
        --timeout-total) mapfile -t COMPREPLY < <(:); return ;;
        --retry-pause) mapfile -t COMPREPLY < <(:); return ;;
        --blocklist) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        --shard) mapfile -t COMPREPLY < <(:); return ;;
        --columns) mapfile -t COMPREPLY < <(:); return ;;
        --certificates) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        --resume) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        --metrics) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        -o) mapfile -t COMPREPLY < <(:); return ;;
        --resolver) mapfile -t COMPREPLY < <(:); return ;;
        --dnssec) mapfile -t COMPREPLY < <(compgen -W 'local trust auto' -- "$word"); return ;;
        --trust-anchor) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        --runtime) mapfile -t COMPREPLY < <(compgen -W 'blocking smol' -- "$word"); return ;;
        --record) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-a -S -t -T -w -m -r -X --all --hygiene --enumerate --pause -f -h -M -R -l -g -p -s -H -k -K -x -A -d -F -P --webpki-roots -c -C -L -v --explain --color --json --exit-code --nagios --warn-days --critical-days --concurrency --rate --per-host --timeout-total --retry-pause --first --no-share --blocklist --shard --unordered --csv --columns --certificates --resume --metrics -o --resolver --dnssec --trust-anchor --runtime --record --help --version' -- "$word")
    fi
}
complete -F _tlsfinger tlsfinger
