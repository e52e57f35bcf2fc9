import InterprocessSystem
import SystemPackage

/// What a figure is worth nothing without: the machine, and how this program was built.
struct MachineDescription {
    /// What there is to say, each with its name.
    let rows: [(name: String, value: String)]

    static func current() -> MachineDescription {
        let processor = field("model name", of: "/proc/cpuinfo") ?? "unknown"
        let isVirtual = (field("flags", of: "/proc/cpuinfo") ?? "").split(separator: " ").contains("hypervisor")
        let memory = field("MemTotal", of: "/proc/meminfo").flatMap { Int($0.prefix { $0.isNumber }) }
        let allowed = (try? Processor.allowed().count) ?? 0
        return MachineDescription(rows: [
            ("Processor", processor + (isVirtual ? ", in a virtual machine" : "")),
            ("Processors that the run may use", "\(allowed)"),
            ("Memory", memory.map { "\(formatted(Double($0) / 1024 / 1024, digits: 1)) GiB" } ?? "unknown"),
            ("Kernel", first(line: "/proc/sys/kernel/osrelease") ?? "unknown"),
            ("System", field("PRETTY_NAME", of: "/etc/os-release", separator: "=")?.filter { $0 != "\"" } ?? "unknown"),
            ("Load at the beginning", load ?? "unknown"),
            ("Compiler", compiler),
        ])
    }

    /// Of the last 1, 5 and 15 minutes.
    private static var load: String? {
        first(line: "/proc/loadavg").map { $0.split(separator: " ").prefix(3).joined(separator: ", ") }
    }

    private static var compiler: String {
        #if compiler(>=6.4)
            "Swift 6.4 or newer"
        #elseif compiler(>=6.3)
            "Swift 6.3"
        #else
            "Swift before 6.3"
        #endif
    }

    private static func first(line path: FilePath) -> String? {
        textOfFile(path)?.split(separator: "\n").first.map { String($0) }
    }

    /// What stands behind a name, on the first line that begins with it.
    private static func field(_ name: String, of path: FilePath, separator: Character = ":") -> String? {
        for line in (textOfFile(path) ?? "").split(separator: "\n") where line.hasPrefix(name) {
            guard let end = line.firstIndex(of: separator) else { continue }
            return String(line[line.index(after: end)...].drop { $0 == " " || $0 == "\t" })
        }
        return nil
    }
}
