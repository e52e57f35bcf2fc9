import ArgumentParser
import InterprocessSystem
import SystemPackage

/// Text to the standard streams and to files, without buffering: a worker or a kill never leaves half of it behind.
enum TextOutput {
    static func standardError(_ text: String) { _ = try? FileDescriptor.standardError.writeAll(text.utf8) }

    static var standardErrorIsTerminal: Bool { FileDescriptor.standardError.isTerminal }
}

/// Says what is wrong with the arguments, in one line, and ends with the status that the argument parser uses.
func usageFailure(_ reason: String) -> ExitCode {
    TextOutput.standardError("ipc: \(reason)\n")
    return ExitCode(64)
}

/// Says what went wrong, in one line, and ends with status 1.
func runFailure(_ reason: String) -> ExitCode {
    TextOutput.standardError("ipc: \(reason)\n")
    return ExitCode(1)
}

/// The beginning of a small file, as those of the kernel are; nil if it cannot be read.
func textOfFile(_ path: FilePath) -> String? {
    guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else { return nil }
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    guard let count = try? unsafe bytes.withUnsafeMutableBytes({ unsafe try file.read(into: $0) }) else { return nil }
    return String(decoding: bytes[..<count], as: UTF8.self)
}

/// A size as people write it: 8 B, 64 KiB, 16 MiB.
func formatted(bytes: Int) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] where bytes >= unit && bytes % unit == 0 {
        return "\(bytes / unit) \(name)"
    }
    return "\(bytes) B"
}

/// A number with so many digits after the point.
func formatted(_ value: Double, digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (abs(value) * scale).rounded()
    guard scaled < 1e18 else { return "\(value)" }
    let whole = UInt64(scaled), unit = UInt64(scale)
    let fraction = digits == 0 ? "" : ".\(String(repeating: "0", count: digits - "\(whole % unit)".count))\(whole % unit)"
    return "\(value < 0 && whole > 0 ? "-" : "")\(whole / unit)\(fraction)"
}

/// A time: three digits and a unit.
func formatted(nanoseconds: Double) -> String {
    for (unit, name) in [(1e9, "s "), (1e6, "ms"), (1e4, "µs")] where nanoseconds >= unit {
        let value = nanoseconds / (name == "µs" ? 1e3 : unit)
        return "\(formatted(value, digits: value < 10 ? 2 : value < 100 ? 1 : 0)) \(name)"
    }
    return "\(formatted(nanoseconds, digits: nanoseconds < 10 ? 2 : nanoseconds < 100 ? 1 : 0)) ns"
}
