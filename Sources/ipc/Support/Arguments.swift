import ArgumentParser
import Interprocess
import SystemPackage

/// Where the objects have their names.
struct DirectoryOption: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The directory of the objects (default: $INTERPROCESS_DIRECTORY, or else /dev/shm/interprocess-UID).", valueName: "path"))
    var directory: String?

    var objects: ObjectDirectory { directory.map { ObjectDirectory(at: FilePath($0)) } ?? .user }
}

/// Why an argument is refused: what ends up in the one line.
struct ArgumentProblem: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A number of bytes as people write it: 4096, 64K, 16MiB, 1G; at least 1, and no more than the largest segment.
@Sendable
func parseSize(_ text: String) throws -> Int { try parseSize(text, atMost: SegmentPlan.maximumSize, "1 TiB") }

/// The capacity of a queue: so much less than the largest segment that whatever else stands there has room.
@Sendable
func parseCapacity(_ text: String) throws -> Int { try parseSize(text, atMost: 1023 << 30, "1023G") }

private func parseSize(_ text: String, atMost limit: Int, _ limitText: String) throws -> Int {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let units: [String: Int] = [
        "": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mib": 1 << 20, "g": 1 << 30, "gib": 1 << 30, "t": 1 << 40,
        "tib": 1 << 40,
    ]
    guard !digits.isEmpty, let unit = units[text.dropFirst(digits.count).lowercased()] else {
        throw ArgumentProblem("a size is a whole number of bytes, or with K, M, G or T behind it, as in 64M")
    }
    let (size, overflow) = (Int(digits) ?? .max).multipliedReportingOverflow(by: unit)
    guard !overflow, size <= limit else { throw ArgumentProblem("it must be at most \(limitText)") }
    guard size > 0 else { throw ArgumentProblem("it must be at least 1") }
    return size
}

/// A time in seconds, with or without a fraction: 0, 5, 0.25.
@Sendable
func parseSeconds(_ text: String) throws -> Duration {
    guard let seconds = Double(text), seconds >= 0, seconds <= 1e9 else {
        throw ArgumentProblem("a time is a number of seconds from 0 to 1000000000, as in 2.5")
    }
    return .nanoseconds(Int64(seconds * 1e9))
}
