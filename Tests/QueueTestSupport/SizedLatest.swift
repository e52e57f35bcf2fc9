import Glibc
public import Interprocess

/// Where the tests have their latest value: in a segment of its own, or in one of the user's.
public struct LatestPlace: Sendable {
    public let kind: SyncPlace.Kind
    public let directory: ObjectDirectory
    /// Not a multiple of anything larger than it must be.
    public static let offset = 192
    public static let name: ObjectName = "latest"

    public init(_ kind: SyncPlace.Kind, in directory: ObjectDirectory) { (self.kind, self.directory) = (kind, directory) }

    public func open<Value: Shareable>(_ initial: Value, _ strategy: WaitStrategy = .adaptive) throws -> LatestValue<Value> {
        if kind == .named {
            return try LatestValue(
                named: Self.name, initial: initial, options: SynchronizationOptions(directory: directory), strategy: strategy)
        }
        let segment = try Segment.openOrCreate("place", size: Self.offset + LatestValue<Value>.byteCount, in: directory)
        return try LatestValue(in: segment, at: Self.offset, initial: initial, strategy: strategy)
    }
}

/// What a reader found that no writer has stored.
public struct TornValue: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// A latest value of one of several sizes, whose content shows if it is of two versions: its first word says how often the value was changed, which is its number
/// too, and every other byte is the low byte of that. For one thread.
public final class SizedLatest {
    /// In bytes.
    public static let sizes = [8, 64, 4104, 131_072, 1 << 20]

    public let segment: Segment
    /// Loads the value and checks it; returns its number.
    public let load: () throws -> UInt64
    /// Changes the value, in its place.
    public let change: (Deadline) throws -> Void
    /// Stores the value of this number from this process's memory. For one writer.
    public let store: (UInt64) throws -> UInt64
    public let wait: (UInt64, Deadline) throws -> UInt64

    public convenience init(_ size: Int, _ place: LatestPlace, _ strategy: WaitStrategy = .adaptive) throws {
        switch size {
        case 8: self.init(try place.open(InlineArray<1, UInt64>(repeating: 0), strategy))
        case 64: self.init(try place.open(InlineArray<8, UInt64>(repeating: 0), strategy))
        case 4104: self.init(try place.open(InlineArray<513, UInt64>(repeating: 0), strategy))
        case 131_072: self.init(try place.open(InlineArray<16_384, UInt64>(repeating: 0), strategy))
        case 1 << 20: self.init(try place.open(InlineArray<131_072, UInt64>(repeating: 0), strategy))
        default: preconditionFailure("no value of \(size) bytes")
        }
    }

    private init<Value: Shareable>(_ latest: LatestValue<Value>) {
        let size = MemoryLayout<Value>.size
        segment = latest.segment
        let copy = Copy<Value>()
        load = {
            // Both forms.
            let number: UInt64
            if size > 256 {
                number = try unsafe latest.load(into: copy.memory)
            } else {
                let version = try latest.loadVersioned()
                unsafe copy.memory.initialize(to: version.value)
                number = version.sequence
            }
            try unsafe Self.check(UnsafeRawPointer(copy.memory), size, number)
            return number
        }
        change = { deadline in
            try latest.update(until: deadline) { value in
                unsafe withUnsafeMutableBytes(of: &value) { bytes in
                    unsafe Self.fill(bytes.baseAddress!, size, bytes.load(as: UInt64.self) &+ 1)
                }
            }
        }
        store = { number in
            unsafe Self.fill(UnsafeMutableRawPointer(copy.memory), size, number)
            return try unsafe latest.store(copy.memory.pointee)
        }
        wait = { try latest.wait(after: $0, until: $1) }
    }

    private static func fill(_ bytes: UnsafeMutableRawPointer, _ size: Int, _ number: UInt64) {
        unsafe memset(bytes, Int32(UInt8(truncatingIfNeeded: number)), size)
        unsafe bytes.storeBytes(of: number, as: UInt64.self)
    }

    private static func check(_ bytes: UnsafeRawPointer, _ size: Int, _ number: UInt64) throws {
        let first = unsafe bytes.load(as: UInt64.self)
        guard first == number else { throw TornValue("version \(number) says that it is \(first), of \(size) bytes") }
        guard size > 8 else { return }
        let low = unsafe bytes.load(fromByteOffset: 8, as: UInt8.self)
        guard low == UInt8(truncatingIfNeeded: number), unsafe memcmp(bytes + 8, bytes + 9, size - 9) == 0 else {
            throw TornValue("version \(number) of \(size) bytes is torn")
        }
    }

    @safe
    private final class Copy<Value> {
        let memory = UnsafeMutablePointer<Value>.allocate(capacity: 1)
        deinit { unsafe memory.deallocate() }
    }
}
