#!/bin/sh
# Small memory for what stays running: dom0 has little of it.
lib=/usr/lib/sallyport-agent
if [ "$1" = run ]; then
	exec "$lib/node" --disable-warning=ExperimentalWarning --max-old-space-size=48 --max-semi-space-size=1 \
		--optimize-for-size "$lib/lib/cli.js" "$@"
fi
exec "$lib/node" --disable-warning=ExperimentalWarning "$lib/lib/cli.js" "$@"
