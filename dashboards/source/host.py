"""The machine, as node_exporter sees it (use, saturation, errors of each resource), and what Holdfast takes of it."""
from .grafana import Dashboard, above, below, row, selector, stat, timeseries, total

IDLE = selector("node_cpu_seconds_total", 'mode="idle"')
DISKS = 'fstype!~"tmpfs|ramfs|overlay|squashfs|nsfs|iso9660|erofs"'
CARDS = 'device!~"lo|veth.*|br-.*|docker.*|ifb.*"'
AVAILABLE, SIZE = selector("node_filesystem_avail_bytes", DISKS), selector("node_filesystem_size_bytes", DISKS)


def each(metric, where=""):
    return f"rate({selector(metric, where)}[$__rate_interval])"


def pressure(resource, kind="waiting"):
    return each(f"node_pressure_{resource}_{kind}_seconds_total")


DASHBOARD = Dashboard(
    title="Host",
    question="Which resource of the machine is used up, queued for or failing, and how much of that is Holdfast?",
    series='up{job=~"node|holdfast"}',
    service="host",
    panels=[
        row("Processor and memory"),
        timeseries("Processor", "What is the processor busy with?", "percentunit", ("avg by (mode) (" + each("node_cpu_seconds_total", 'mode!="idle"') + ")", "{{mode}}"), stack=True, defaults={"max": 1}, limits=above(0.95), alerts=("HostCpuSaturated",)),
        timeseries("Waiting", "Which resource do programs wait for, and for which share of the time?", "percentunit", *[(pressure(resource), resource) for resource in ("cpu", "io", "memory")]),
        timeseries("Load for each processor", "Is more to be run than there are processors?", "none", (f"{selector('node_load5')} / on (instance) count by (instance) ({IDLE})", "{{instance}}")),
        timeseries("Memory available", "How much memory can still be taken?", "percentunit", (f"{selector('node_memory_MemAvailable_bytes')} / {selector('node_memory_MemTotal_bytes')}", "{{instance}}"), limits=below(0.10, 0.04), defaults={"max": 1}, alerts=("HostMemoryLow",)),
        timeseries("Swapping", "Is memory moved to disk and back?", "cps", (each("node_vmstat_pswpin"), "pages in"), (each("node_vmstat_pswpout"), "pages out")),
        timeseries("Killed for memory", "Did the kernel kill something?", "short", (f"increase({selector('node_vmstat_oom_kill')}[$__rate_interval])", "{{instance}}"), (f"increase({selector('holdfast_cgroup_oom_kills_total')}[$__rate_interval])", "{{instance}} of Holdfast"), bars=True, alerts=("HostOomKill",)),
        row("Disk"),
        timeseries("Free space", "Which disk is full?", "percentunit", (f"{AVAILABLE} / {SIZE}", "{{mountpoint}}"), limits=below(0.10, 0.05), defaults={"max": 1}, alerts=("HostDiskAlmostFull", "HostDiskReadOnly")),
        timeseries("Free space in 24 hours", "At the pace of the last six hours, which disk will be full within a day?", "percentunit", (f"clamp_min(predict_linear({AVAILABLE}[6h], 86400) / {SIZE}, 0)", "{{mountpoint}}"), alerts=("HostDiskWillFill",)),
        timeseries("Free inodes", "On which disk can no more files be made?", "percentunit", (f"{selector('node_filesystem_files_free', DISKS)} / ({selector('node_filesystem_files', DISKS)} > 0)", "{{mountpoint}}"), limits=below(0.10), defaults={"max": 1}, alerts=("HostInodesLow",)),
        timeseries("Disk busy", "For which share of the time does a disk work?", "percentunit", (each("node_disk_io_time_seconds_total"), "{{device}}")),
        timeseries("Disk throughput", "How much is read and written?", "Bps", (each("node_disk_read_bytes_total"), "{{device}} read"), (each("node_disk_written_bytes_total"), "{{device}} written")),
        timeseries(
            "Time of a write", "How long does a write take on average?", "s",
            (f"{each('node_disk_write_time_seconds_total')} / ({each('node_disk_writes_completed_total')} > 0)", "{{device}}"),
        ),
        row("Network and clock"),
        timeseries("Network", "How much goes over the network?", "Bps", (each("node_network_receive_bytes_total", CARDS), "{{device}} in"), (each("node_network_transmit_bytes_total", CARDS), "{{device}} out")),
        timeseries(
            "Network errors", "Does the network lose packets?", "pps",
            *[(each(f"node_network_{way}_{kind}_total", CARDS), f"{{{{device}}}} {way} {kind}") for way in ("receive", "transmit") for kind in ("errs", "drop")],
        ),
        timeseries("Clock", "How far off is the clock?", "s", (selector("node_timex_offset_seconds"), "{{instance}}"), minimum=None, limits=above(0.5), alerts=("HostClockSkewed",)),
        stat("Up since", "When was the machine booted?", "dateTimeFromNow", f"{selector('node_boot_time_seconds')} * 1000", width=6, alerts=("HostRebooted",)),
        stat("Clock synchronised", "Does a time service set the clock?", "bool_yes_no", f"min({selector('node_timex_sync_status')})", width=6, alerts=("HostClockNotSynchronised",)),
        stat("Holdfast up since", "When was Holdfast started, and which version is it?", "dateTimeFromNow", ("max by (instance, version) (holdfast_process_start_time_seconds{TARGET} * on (job, instance) group_left (version) holdfast_build_info{TARGET}) * 1000", "{{version}}"), width=6, alerts=("HoldfastRestarting",)),
        stat("Threads", "How many threads has Holdfast?", "short", total("holdfast_process_threads"), width=6),
        row("What Holdfast takes"),
        timeseries("Processors", "How many processors does it use, and how many are its workers busy with?", "none", (f"sum({each('holdfast_process_cpu_seconds_total')})", "used"), (f"sum({each('holdfast_runtime_busy_seconds_total')})", "of that, requests and tasks")),
        timeseries("Workers busy", "Do requests wait before anyone looks at them?", "percentunit", (f"{each('holdfast_runtime_busy_seconds_total')} / {selector('holdfast_runtime_workers')}", "{{instance}}"), limits=above(0.9), defaults={"max": 1}, alerts=("HoldfastRuntimeSaturated",)),
        timeseries("Tasks", "Do tasks pile up?", "short", (total("holdfast_runtime_alive_tasks"), "alive"), (total("holdfast_runtime_queue_depth"), "queued")),
        timeseries(
            "Memory", "Does it grow, and where does it end?", "bytes", (selector("holdfast_process_resident_memory_bytes"), "{{instance}} process"), (selector("holdfast_cgroup_memory_usage_bytes"), "{{instance}} its group"),
            (selector("holdfast_cgroup_memory_limit_bytes"), "{{instance}} limit"),
        ),
        timeseries(
            "Share of its memory limit", "How near is the kernel to killing it? Its container or unit, without what is only cached.", "percentunit",
            (f"{selector('holdfast_cgroup_memory_usage_bytes')} / {selector('holdfast_cgroup_memory_limit_bytes')}", "{{instance}}"), limits=above(0.85, 0.95), defaults={"max": 1}, alerts=("HoldfastMemoryHigh",),
        ),
        timeseries("File descriptors", "Which share of the allowed ones is open?", "percentunit", (f"{selector('holdfast_process_open_file_descriptors')} / {selector('holdfast_process_max_file_descriptors')}", "{{instance}}"), limits=above(0.7, 0.9), alerts=("HoldfastFileDescriptorsHigh",)),
    ],
)
