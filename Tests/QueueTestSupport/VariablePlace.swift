public import Interprocess
import InterprocessSystem

/// Where the tests have their variable: in a segment of its own, or in one of the user's.
public struct VariablePlace: Sendable {
    public let kind: SyncPlace.Kind
    public let directory: ObjectDirectory
    public static let offset = 192
    public static let name: ObjectName = "variable"

    public init(_ kind: SyncPlace.Kind, in directory: ObjectDirectory) { (self.kind, self.directory) = (kind, directory) }

    public func open<Value: Shareable>(
        _ type: Value.Type, _ initial: Value? = nil, _ strategy: WaitStrategy = .adaptive
    ) throws -> SharedVariable<Value> {
        if kind == .named {
            return try SharedVariable(
                named: Self.name, initial: initial, options: SynchronizationOptions(directory: directory), strategy: strategy)
        }
        let segment = try Segment.openOrCreate("place", size: Self.offset + SharedVariable<Value>.byteCount, in: directory)
        return try SharedVariable(in: segment, at: Self.offset, initial: initial, strategy: strategy)
    }
}

/// A value of a storm: who put it, which of its values it is, and how often it was changed since. Every other word follows from the first two.
public struct StormValue: Shareable {
    private var words = InlineArray<12, UInt64>(repeating: 0)

    public init(_ worker: Int, _ number: UInt64) {
        words[0] = UInt64(worker) << 32 | number
        fill()
    }

    public var worker: Int { Int(truncatingIfNeeded: words[0] >> 32) }
    public var number: UInt64 { words[0] & 0xffff_ffff }

    public mutating func change() {
        words[1] &+= 1
        fill()
    }

    private mutating func fill() { for index in 2..<12 { words[index] = words[0] &* UInt64(index) &+ words[1] } }

    /// Throws if parts of it are another value's.
    public func check() throws {
        for index in 2..<12 where words[index] != words[0] &* UInt64(index) &+ words[1] {
            throw TornValue("value \(number) of worker \(worker), changed \(words[1]) times, is torn")
        }
    }
}

/// What the workers of a storm write down: which values were put, and a bit for each that was taken.
public struct VariableAccount: Sendable {
    /// Places; a worker that takes the place of a killed one goes on with its numbers.
    public static let workers = 8
    /// Values of one worker at most: it puts no more then.
    public static let values = 1 << 20

    public enum Word: Int, Sendable {
        /// The worker is about to put its value of this number; it has put it.
        case putIntent, put
        /// It is about to take so many altogether; it has taken, and ticked off, so many.
        case takeIntent, taken
    }

    private static let head = 4096
    private static let bitmap = values / 8
    public let segment: Segment

    public init(_ segment: Segment) { self.segment = segment }

    public static func create(in directory: ObjectDirectory) throws -> VariableAccount {
        VariableAccount(try Segment.create("account", size: head + workers * bitmap, in: directory))
    }

    public static func open(in directory: ObjectDirectory) throws -> VariableAccount {
        VariableAccount(try Segment.open("account", in: directory))
    }

    package func word(_ worker: Int, _ word: Word) -> SharedUInt64 {
        unsafe segment.withBytes { unsafe SharedUInt64(at: $0.baseAddress! + worker * 64 + word.rawValue * 8) }
    }

    private func ticks(_ worker: Int, _ number: UInt64) -> SharedUInt32 {
        unsafe segment.withBytes {
            unsafe SharedUInt32(at: $0.baseAddress! + Self.head + worker * Self.bitmap + Int(number / 32) * 4)
        }
    }

    /// Ticks off a value that was taken. False: it had been taken before.
    public func tick(_ value: StormValue) -> Bool {
        let bit: UInt32 = 1 << UInt32(value.number % 32)
        return ticks(value.worker, value.number).setBits(bit) & bit == 0
    }

    public func isTicked(_ worker: Int, _ number: UInt64) -> Bool {
        ticks(worker, number).loadAcquire() >> UInt32(number % 32) & 1 != 0
    }
}
