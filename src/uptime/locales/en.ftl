scope-uptime-read = View monitors
scope-uptime-write = Change monitors
