public import Interprocess

/// The methods that the tests of calls and their processes share.
public enum Add: HandoffMethod {
    public static let id: UInt32 = 1
    public struct Arguments: Shareable {
        public var a: Int64
        public var b: Int64
        public init(_ a: Int64, _ b: Int64) { (self.a, self.b) = (a, b) }
    }
    public typealias Output = Int64
}

/// Doubles each number where it is, and returns their sum before.
public enum Doubling: HandoffMethod {
    public static let id: UInt32 = 2
    public typealias Arguments = SharedSlice<Int64>
    public typealias Output = Int64
}

/// Calls `Query` back for each index, writes what it says into the array, and returns the sum.
public enum Solve: HandoffMethod {
    public static let id: UInt32 = 3
    public typealias Arguments = SharedSlice<Int64>
    public typealias Output = Int64
}

public enum Query: HandoffMethod {
    public static let id: UInt32 = 4
    public typealias Arguments = UInt32
    public typealias Output = Int64
}

/// Fails with this code; with 0, by an error of another kind.
public enum Fail: HandoffMethod {
    public static let id: UInt32 = 5
    public typealias Arguments = UInt32
}

/// Never returns.
public enum Hold: HandoffMethod {
    public static let id: UInt32 = 6
    public typealias Arguments = SharedSlice<Int64>
}

/// Allocates so many bytes on the side that performs it, and returns where.
public enum Allocate: HandoffMethod {
    public static let id: UInt32 = 7
    public typealias Arguments = Int64
    public typealias Output = Int64
}

/// Calls itself back on the other side with one less; returns how many were open in the end.
public enum Descend: HandoffMethod {
    public static let id: UInt32 = 8
    public typealias Arguments = Int64
    public typealias Output = Int64
}

/// Waits for a line from the test, and returns its argument.
public enum Nap: HandoffMethod {
    public static let id: UInt32 = 9
    public typealias Arguments = Int64
    public typealias Output = Int64
}

public struct Unforeseen: Error {
    public init() {}
}

extension Handoff {
    /// Performs `Descend`: one deeper on the other side, as far as it goes.
    public mutating func descend(_ left: Int64) throws -> Int64 {
        if left == 0 { return 0 }
        do {
            return try call(Descend.self, left - 1) { side, _ in try side.answer(Descend.self) { try $0.descend($1) } } + 1
        } catch HandoffCallError.tooDeep {
            return 0
        }
    }

    /// Performs `Solve` by calling back.
    public mutating func solve(_ numbers: SharedSlice<Int64>) throws -> Int64 {
        var sum: Int64 = 0
        for index in 0..<numbers.count {
            let number = try call(Query.self, UInt32(index))
            var span = try mutableSpan(of: numbers)
            span[index] = number
            sum += number
        }
        return sum
    }

    /// Performs `Doubling`.
    public mutating func double(_ numbers: SharedSlice<Int64>) throws -> Int64 {
        var span = try mutableSpan(of: numbers)
        var sum: Int64 = 0
        for index in span.indices {
            sum &+= span[index]
            span[index] &*= 2
        }
        return sum
    }
}
