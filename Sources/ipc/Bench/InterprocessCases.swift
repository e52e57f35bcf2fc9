import CBenchmarkPeers
import Interprocess
import SystemPackage

/// The library's own cases of the queue suite. Their loops are in `InterprocessLoops.swift`.
///
/// Both sides open the queue by a name of the measurement's own; it goes when the last of them leaves. Strategies are the default, ``WaitStrategy/adaptive``, unless
/// a case says otherwise: that is what programs get.
enum InterprocessCases {
    /// Both sides poll, since the answer comes sooner than a wake-up would.
    static func roundTrip(size: Int, capacity: Int) -> [Contender] {
        switch size {
        case 8: [pingPong(UInt64.self, capacity)]
        case 64: [pingPong(Message64.self, capacity)]
        default: []
        }
    }

    /// Two processes on one core, each waiting for the other.
    static func `switch`(capacity: Int) -> [Contender] { [pingPong(UInt64.self, capacity)] }

    /// `interprocess` and `interprocess-batch`.
    static func stream(size: Int, capacity: Int) -> [Contender] {
        switch size {
        case 8: streams(UInt64.self, capacity)
        case 64: streams(Message64.self, capacity)
        case 1024: streams(Message1024.self, capacity)
        default: []
        }
    }

    /// `interprocess`, filled by a copy, and `interprocess-in-place`, filled where it lies; both are read where they lie. `interprocess-untouched` writes and reads only
    /// the first word: what is left is the library's part, whatever the size.
    static func large(size: Int, capacity: Int) -> [Contender] {
        let receive: Contender.Body = { try InterprocessLoops.receiveLarge($0) }
        return [
            contender("interprocess", capacity, near: receive, far: { try InterprocessLoops.sendLarge($0) }),
            contender("interprocess-in-place", capacity, near: receive, far: { try InterprocessLoops.sendLargeInPlace($0) }),
            contender(
                "interprocess-untouched", capacity, near: { try InterprocessLoops.receiveLarge($0, isTouched: false) },
                far: { try InterprocessLoops.sendLargeInPlace($0, isTouched: false) }),
        ]
    }

    /// `interprocess`, a thread that parks at once, and `interprocess-async`, a suspended task on the library's executor.
    static func wakeup(capacity: Int) -> [Contender] {
        let wake: Contender.Body = { try InterprocessLoops.wake($0) }
        return [
            contender("interprocess", capacity, near: { try InterprocessLoops.sleep($0) }, far: wake),
            contender("interprocess-async", capacity, near: { try await InterprocessLoops.sleepAsynchronously($0) }, far: wake),
        ]
    }

    private static func pingPong<M: BenchmarkMessage>(_ type: M.Type, _ capacity: Int) -> Contender {
        contender(
            "interprocess", capacity, near: { try InterprocessLoops.ping($0, type) }, far: { try InterprocessLoops.pong($0, type) })
    }

    private static func streams<M: BenchmarkMessage>(_ type: M.Type, _ capacity: Int) -> [Contender] {
        [
            contender(
                "interprocess", capacity, near: { try InterprocessLoops.receive($0, type) }, far: { try InterprocessLoops.send($0, type) }),
            contender(
                "interprocess-batch", capacity, near: { try InterprocessLoops.receiveBatches($0, type) },
                far: { try InterprocessLoops.sendBatches($0, type) }),
        ]
    }

    private static func contender(_ name: String, _ capacity: Int, near: @escaping Contender.Body, far: @escaping Contender.Body)
        -> Contender
    {
        // The queue has memory of its own; the area only says how large it is to be.
        Contender(name: name, area: .elsewhere(capacity: capacity), near: near, far: far)
    }
}

/// A message that says which it is, so that the receiver can tell that it got the right one.
protocol BenchmarkMessage: Shareable {
    init(number: UInt64)
    var number: UInt64 { get set }
}

extension UInt64: BenchmarkMessage {
    init(number: UInt64) { self = number }
    var number: UInt64 {
        get { self }
        set { self = newValue }
    }
}

struct Message64: BenchmarkMessage {
    var words: InlineArray<8, UInt64>
    init(number: UInt64) { words = InlineArray(repeating: number) }
    var number: UInt64 {
        get { words[0] }
        set { words[0] = newValue }
    }
}

struct Message1024: BenchmarkMessage {
    var words: InlineArray<128, UInt64>
    init(number: UInt64) { words = InlineArray(repeating: number) }
    var number: UInt64 {
        get { words[0] }
        set { words[0] = newValue }
    }
}
