import CInterprocess
import InterprocessSystem

/// One place in the order of a topic's messages.
///
/// **States** bits 0–19 the message's chunk plus 1, or 0: no message of this topic has stood here; bits 20–63 the lap. Never 0: that is a forked child's zeroes.
@frozen @usableFromInline
struct LogEntry: Equatable, Sendable {
    @usableFromInline let word: UInt64

    private static let chunkBits: UInt64 = 20
    static let lapMask: UInt64 = (1 << 44) - 1

    @inline(__always) init(word: UInt64) { self.word = word }
    @inline(__always) init(lap: UInt64, chunk: Int) { word = lap << Self.chunkBits | UInt64(chunk + 1) }
    static func unused(lap: UInt64) -> LogEntry { LogEntry(word: lap << chunkBits) }

    @inline(__always) var isOpen: Bool { word != 0 }
    /// Nil: none.
    @inline(__always) var chunk: Int? { word & (1 << Self.chunkBits - 1) == 0 ? nil : Int(word & (1 << Self.chunkBits - 1)) - 1 }
    /// Modulo 2^44.
    @inline(__always) var lap: UInt64 { word >> Self.chunkBits }

    /// How many laps it is before (negative) or behind that of a ticket.
    @inline(__always)
    func distance(from lap: UInt64) -> Int64 { Int64(bitPattern: (self.lap &- lap) << 20) >> 20 }
}

/// The order of a topic's messages, and which are still there. Putting a chunk's number into it publishes the chunk's message and forgets the message that is as many older as the log has entries.
///
/// **Layout** `entries` of "topic". Ticket t stands at entry t mod size in lap t / size. Tickets begin with lap 2, so that the ticket of one log before the first is none below 0.
/// **Memory order** `SYNC log.publish`: the publisher's compare-exchange ⇄ acquire by who reads the entry.
/// **Progress** lock-free.
/// **Source** decision record 0009.
@frozen @safe @usableFromInline
struct TopicLog: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer
    private let shift: UInt64
    private let mask: UInt64
    let tail: SharedUInt64

    /// - Parameter size: a power of two.
    init(at base: UnsafeMutableRawPointer, size: Int, tail: SharedUInt64) {
        unsafe self.base = base
        shift = UInt64(size.trailingZeroBitCount)
        mask = UInt64(size) - 1
        self.tail = tail
    }

    @inline(__always) var size: UInt64 { mask &+ 1 }
    /// The first message's.
    @inline(__always) var firstTicket: UInt64 { size &<< 1 }

    @inline(__always)
    func entry(_ ticket: UInt64) -> SharedUInt64 {
        unsafe SharedUInt64(at: base + Int(truncatingIfNeeded: ticket & mask) &* MemoryLayout<UInt64>.stride)
    }

    @inline(__always) func lap(_ ticket: UInt64) -> UInt64 { (ticket >> shift) & LogEntry.lapMask }

    /// The number of a message, from 0 on, that has `ticket`.
    @inline(__always) func sequence(_ ticket: UInt64) -> UInt64 { ticket &- firstTicket }

    /// Whether the entry of `ticket` says that its message is in this chunk.
    func names(_ chunk: Int, at ticket: UInt64) -> Bool {
        entry(ticket).loadSequential() == LogEntry(lap: lap(ticket), chunk: chunk).word
    }

    /// Before anybody else can see it.
    func initialize() {
        for index in 0...mask { entry(index).storeRelaxed(LogEntry.unused(lap: 1).word) }
        tail.storeRelaxed(firstTicket)
    }

    /// More steps than any walk takes but where somebody writes who should not, or tickets are given faster than this process can look.
    private var mostSteps: UInt64 { 4 &* size &+ 4096 }

    /// A ticket that no message has had, and none did when this looked; those before it all had.
    func firstUnused() throws(QueueDamage) -> UInt64 {
        var ticket = tail.loadAcquire()
        for _ in 0..<mostSteps {
            let seen = LogEntry(word: entry(ticket).loadSequential())
            guard seen.isOpen else { throw QueueDamage(field: "entry") }
            let distance = seen.distance(from: lap(ticket))
            if distance == -1 { return ticket }
            guard distance >= 0 else { throw QueueDamage(field: "tail") }
            // Also that of the lap that the entry is in has been had.
            ticket &+= UInt64(distance) &* size &+ 1
        }
        throw QueueDamage(field: "tail")
    }
}
