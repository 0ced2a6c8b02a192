# bash completion for sallyport-agent
_sallyport_agent() {
	local cur prev words cword
	_init_completion 2>/dev/null || {
		cur=${COMP_WORDS[COMP_CWORD]}
		prev=${COMP_WORDS[COMP_CWORD - 1]}
		cword=$COMP_CWORD
	}
	case $prev in
	--state)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--source)
		mapfile -t COMPREPLY < <(compgen -W "syslog console eve ulogd snare" -- "$cur")
		return
		;;
	esac
	local options
	case ${COMP_WORDS[1]} in
	enrol) options="--name --state --again --other-approvers --json --help" ;;
	run) options="--state --config --help" ;;
	status) options="--state --json --help" ;;
	scan) options="--policy --json --clamd --clamd-conf --help" ;;
	replay) options="--source --help" ;;
	hold-all) options="--state --config --json --help" ;;
	pin-keyboards) options="--state --config --json --help" ;;
	esac
	if [ "$cword" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "enrol run status scan replay pin-keyboards hold-all --help --version" -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _sallyport_agent sallyport-agent
