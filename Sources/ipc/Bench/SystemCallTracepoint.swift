import InterprocessSystem
import SystemPackage

/// Where the kernel says that a system call begins.
enum SystemCallTracepoint {
    /// Its number; nil where that is not to be had: it takes root, or `kernel.perf_event_paranoid` below 0, and a mounted tracefs.
    static let number: UInt32? = {
        for place in ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] {
            guard let text = textOfFile(FilePath("\(place)/events/raw_syscalls/sys_enter/id")) else { continue }
            if let number = UInt32(text.prefix { $0.isNumber }) { return number }
        }
        return nil
    }()
}
