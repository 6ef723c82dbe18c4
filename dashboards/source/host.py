"""The machine as seen by node_exporter (utilisation, saturation and errors of each resource), and the share of Holdfast."""
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
    question="Which resource of the machine is exhausted, contended or failing, and how much of that is Holdfast?",
    series='up{job=~"node|holdfast"}',
    service="host",
    panels=[
        row("CPU and memory"),
        timeseries("CPU usage by mode", "What is the CPU busy with?", "percentunit", ("avg by (mode) (" + each("node_cpu_seconds_total", 'mode!="idle"') + ")", "{{mode}}"), stack=True, defaults={"max": 1}, limits=above(0.95), alerts=("HostCpuSaturated",)),
        timeseries("Pressure stall by resource, share of the time", "Which resource do programs wait for, and for what share of the time?", "percentunit", *[(pressure(resource), resource) for resource in ("cpu", "io", "memory")]),
        timeseries("Load average per CPU", "Is there more to run than there are CPUs?", "none", (f"{selector('node_load5')} / on (instance) count by (instance) ({IDLE})", "{{instance}}")),
        timeseries("Available memory, share of the total", "How much memory can still be taken?", "percentunit", (f"{selector('node_memory_MemAvailable_bytes')} / {selector('node_memory_MemTotal_bytes')}", "{{instance}}"), limits=below(0.10, 0.04), defaults={"max": 1}, alerts=("HostMemoryLow",)),
        timeseries("Pages swapped per second", "Is memory moved to disk and back?", "cps", (each("node_vmstat_pswpin"), "pages in"), (each("node_vmstat_pswpout"), "pages out")),
        timeseries("Processes killed by the OOM killer", "Did the kernel kill something?", "short", (f"increase({selector('node_vmstat_oom_kill')}[$__rate_interval])", "{{instance}}"), (f"increase({selector('holdfast_cgroup_oom_kills_total')}[$__rate_interval])", "{{instance}} of Holdfast"), bars=True, alerts=("HostOomKill",)),
        row("Disk"),
        timeseries("Free disk space by file system", "Which disk is full?", "percentunit", (f"{AVAILABLE} / {SIZE}", "{{mountpoint}}"), limits=below(0.10, 0.05), defaults={"max": 1}, alerts=("HostDiskAlmostFull", "HostDiskReadOnly")),
        timeseries("Free disk space in 24 hours", "At the rate of the last six hours, which disk will be full within a day?", "percentunit", (f"clamp_min(predict_linear({AVAILABLE}[6h], 86400) / {SIZE}, 0)", "{{mountpoint}}"), alerts=("HostDiskWillFill",)),
        timeseries("Free inodes by file system", "On which disk can no more files be created?", "percentunit", (f"{selector('node_filesystem_files_free', DISKS)} / ({selector('node_filesystem_files', DISKS)} > 0)", "{{mountpoint}}"), limits=below(0.10), defaults={"max": 1}, alerts=("HostInodesLow",)),
        timeseries("Disk utilisation, share of the time", "What share of the time is a disk busy?", "percentunit", (each("node_disk_io_time_seconds_total"), "{{device}}")),
        timeseries("Disk bytes per second", "How much is read and written?", "Bps", (each("node_disk_read_bytes_total"), "{{device}} read"), (each("node_disk_written_bytes_total"), "{{device}} written")),
        timeseries(
            "Mean duration of a disk write", "How long does a write take on average?", "s",
            (f"{each('node_disk_write_time_seconds_total')} / ({each('node_disk_writes_completed_total')} > 0)", "{{device}}"),
        ),
        row("Network and clock"),
        timeseries("Network bytes per second", "How much goes over the network?", "Bps", (each("node_network_receive_bytes_total", CARDS), "{{device}} in"), (each("node_network_transmit_bytes_total", CARDS), "{{device}} out")),
        timeseries(
            "Network errors and drops per second", "Does the network lose packets?", "pps",
            *[(each(f"node_network_{way}_{kind}_total", CARDS), f"{{{{device}}}} {way} {kind}") for way in ("receive", "transmit") for kind in ("errs", "drop")],
        ),
        timeseries("Clock offset", "How far off is the clock?", "s", (selector("node_timex_offset_seconds"), "{{instance}}"), minimum=None, limits=above(0.5), alerts=("HostClockSkewed",)),
        stat("Host booted", "When was the machine booted?", "dateTimeFromNow", f"{selector('node_boot_time_seconds')} * 1000", width=6, alerts=("HostRebooted",)),
        stat("Clock synchronised", "Is the clock set by a time service?", "bool_yes_no", f"min({selector('node_timex_sync_status')})", width=6, alerts=("HostClockNotSynchronised",)),
        stat("Holdfast started", "When was Holdfast started, and which version is it?", "dateTimeFromNow", ("max by (instance, version) (holdfast_process_start_time_seconds{TARGET} * on (job, instance) group_left (version) holdfast_build_info{TARGET}) * 1000", "{{version}}"), width=6, alerts=("HoldfastRestarting",)),
        stat("Threads of Holdfast", "How many threads has Holdfast?", "short", total("holdfast_process_threads"), width=6),
        row("Resources of Holdfast"),
        timeseries("CPUs used by Holdfast", "How many CPUs does Holdfast use, and how many of them for requests and tasks?", "none", (f"sum({each('holdfast_process_cpu_seconds_total')})", "used"), (f"sum({each('holdfast_runtime_busy_seconds_total')})", "by requests and tasks")),
        timeseries("Utilisation of the runtime's worker threads", "Do requests wait before a worker thread picks them up?", "percentunit", (f"{each('holdfast_runtime_busy_seconds_total')} / {selector('holdfast_runtime_workers')}", "{{instance}}"), limits=above(0.9), defaults={"max": 1}, alerts=("HoldfastRuntimeSaturated",)),
        timeseries("Runtime tasks, alive and queued", "Do tasks pile up?", "short", (total("holdfast_runtime_alive_tasks"), "alive"), (total("holdfast_runtime_queue_depth"), "queued")),
        timeseries(
            "Memory of Holdfast", "Does it grow, and where is its limit?", "bytes", (selector("holdfast_process_resident_memory_bytes"), "{{instance}} process"), (selector("holdfast_cgroup_memory_usage_bytes"), "{{instance}} control group"),
            (selector("holdfast_cgroup_memory_limit_bytes"), "{{instance}} limit"),
        ),
        timeseries(
            "Memory of Holdfast, share of the limit", "How close is the OOM killer? Container or unit, without reclaimable cache.", "percentunit",
            (f"{selector('holdfast_cgroup_memory_usage_bytes')} / {selector('holdfast_cgroup_memory_limit_bytes')}", "{{instance}}"), limits=above(0.85, 0.95), defaults={"max": 1}, alerts=("HoldfastMemoryHigh",),
        ),
        timeseries("File descriptors, share of the limit", "Which share of the allowed ones is open?", "percentunit", (f"{selector('holdfast_process_open_file_descriptors')} / {selector('holdfast_process_max_file_descriptors')}", "{{instance}}"), limits=above(0.7, 0.9), alerts=("HoldfastFileDescriptorsHigh",)),
    ],
)
