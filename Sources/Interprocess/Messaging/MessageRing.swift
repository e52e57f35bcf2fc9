import CInterprocess
import InterprocessSystem

/// One place in the order of a shared queue's messages.
///
/// **States** bits 0–15 slot, 16–31 generation of the slot, modulo 2^16; bit 32: there is a message; bit 33 always set; bits 34–63 lap. Without a
/// message it is empty for that lap.
struct RingEntry: Equatable {
    let word: UInt64

    private static let open: UInt64 = 1 << 33
    static let lapMask: UInt64 = (1 << 30) - 1

    @inline(__always) init(word: UInt64) { self.word = word }
    /// Not a forked child's zeroes.
    var isOpen: Bool { word & Self.open != 0 }
    @inline(__always) static func empty(lap: UInt64) -> RingEntry { RingEntry(word: (lap & lapMask) << 34 | open) }
    @inline(__always)
    static func message(lap: UInt64, slot: Int, generation: UInt32) -> RingEntry {
        RingEntry(word: (lap & lapMask) << 34 | open | 1 << 32 | UInt64(generation & 0xffff) << 16 | UInt64(slot))
    }

    var hasMessage: Bool { word & 1 << 32 != 0 }
    var slot: Int { Int(word & 0xffff) }
    var generation: UInt32 { UInt32(word >> 16 & 0xffff) }
    /// Modulo 2^30.
    var lap: UInt64 { word >> 34 }

    /// How many laps it is before (negative) or behind that of a ticket.
    @inline(__always)
    func distance(from lap: UInt64) -> Int64 {
        // Of 30 bits: the sign of the difference is its bit 29.
        Int64(bitPattern: (self.lap &- lap) << 34) >> 34
    }
}

/// The order of the messages of one priority. Putting a slot's number into it publishes the slot's message.
///
/// **Layout** "message ring". Ticket t stands at entry t mod size in lap t / size.
/// **Memory order** `SYNC ring.publish`: release by the sender's compare-exchange ⇄ acquire by who reads the entry.
/// **Progress** lock-free: no look waits for another process.
/// **Source** tickets and laps as in Vyukov's bounded queue; but an entry is claimed and filled by one store, since it names a slot that was filled before.
@safe
struct MessageRing: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer
    private let shift: UInt64
    private let mask: UInt64

    /// Entries.
    var size: UInt64 { mask + 1 }

    init(at base: UnsafeMutableRawPointer, shift: Int) {
        unsafe self.base = base
        self.shift = UInt64(shift)
        mask = (1 << UInt64(shift)) - 1
    }

    static func byteCount(size: Int) -> Int { MemoryLayout<ipc_message_ring>.size + size * MemoryLayout<UInt64>.stride }

    @inline(__always) var tail: SharedUInt64 { unsafe SharedUInt64(at: base) }
    @inline(__always) var head: SharedUInt64 { unsafe SharedUInt64(at: base + 128) }

    @inline(__always)
    func entry(_ ticket: UInt64) -> SharedUInt64 {
        unsafe SharedUInt64(at: base + MemoryLayout<ipc_message_ring>.size + Int(ticket & mask) &* MemoryLayout<UInt64>.stride)
    }

    @inline(__always) func lap(_ ticket: UInt64) -> UInt64 { (ticket >> shift) & RingEntry.lapMask }

    /// Before anybody else can see it. Tickets begin with lap 1.
    func initialize() {
        for index in 0...mask { entry(index).storeRelaxed(RingEntry.empty(lap: 1).word) }
        tail.storeRelaxed(size)
        head.storeRelaxed(size)
    }

    /// The number of a message, from 0 on, that has `ticket`.
    func sequence(_ ticket: UInt64) -> UInt64 { ticket &- size }

    private var mostSteps: UInt64 { 4 * size + 1024 }

    /// Publishes a filled slot behind all others; its ticket.
    ///
    /// - Parameters:
    ///   - isWaiting: whether the message that an entry names has not been taken yet.
    ///   - willTry: is called with each ticket before it is tried.
    @inline(__always)
    func append(
        slot: Int, generation: UInt32, isWaiting: (RingEntry) -> Bool, willTry: (UInt64) -> Void
    ) throws(QueueDamage) -> UInt64 {
        var ticket = tail.loadRelaxed()
        var steps: UInt64 = 0
        while true {
            let lap = lap(ticket)
            let seen = RingEntry(word: entry(ticket).loadAcquire())
            if seen == .empty(lap: lap) {
                willTry(ticket)
                if entry(ticket).compareExchange(seen.word, RingEntry.message(lap: lap, slot: slot, generation: generation).word) {
                    tail.storeRelaxed(ticket &+ 1)
                    return ticket
                }
                continue
            }
            steps &+= 1
            guard steps < mostSteps, seen.isOpen else { throw QueueDamage(field: "tail") }
            let distance = seen.distance(from: lap)
            guard distance != 0 || seen.hasMessage else { throw QueueDamage(field: "entry") }
            if distance >= 0 {
                // Others were faster: this ticket is gone, and so are those of the laps before the one that the entry is in.
                ticket &+= UInt64(seen.hasMessage ? distance : distance - 1) &* size &+ 1
            } else if seen.hasMessage, distance == -1, !isWaiting(seen) {
                // Of the lap before, taken and not emptied yet.
                clear(ticket &- size, seen)
            } else {
                // There are as many slots as entries at most, and this caller has one of them.
                throw QueueDamage(field: "tail")
            }
        }
    }

    /// The first entry whose message `take` takes. Nil: there is none. `take` says nil of a message that somebody has taken already.
    @inline(__always)
    func first<R>(_ take: (RingEntry, UInt64) -> R?) throws(QueueDamage) -> R? {
        var ticket = head.loadRelaxed()
        var steps: UInt64 = 0
        while true {
            let lap = lap(ticket)
            let seen = RingEntry(word: entry(ticket).loadAcquire())
            if seen == .empty(lap: lap) { return nil }
            steps &+= 1
            guard steps < mostSteps, seen.isOpen else { throw QueueDamage(field: "head") }
            let distance = seen.distance(from: lap)
            if distance == 0 {
                guard seen.hasMessage else { throw QueueDamage(field: "entry") }
                // Nil also if the entry is another by now.
                let taken = take(seen, ticket)
                clear(ticket, seen)
                ticket &+= 1
                head.storeRelaxed(ticket)
                if let taken { return taken }
            } else {
                // Others have come further since the head was written. (It is never too far, but where somebody writes who should not.)
                ticket &+= UInt64(bitPattern: distance &- 1) &* size &+ 1
            }
        }
    }

    /// Whether there is an entry whose message nobody has taken. Changes nothing.
    func hasMessage(_ isWaiting: (RingEntry) -> Bool) throws(QueueDamage) -> Bool {
        var ticket = head.loadRelaxed()
        for _ in 0..<mostSteps {
            let lap = lap(ticket)
            let seen = RingEntry(word: entry(ticket).loadSequential())
            if seen == .empty(lap: lap) { return false }
            guard seen.isOpen else { throw QueueDamage(field: "head") }
            let distance = seen.distance(from: lap)
            if distance == 0 {
                guard seen.hasMessage else { throw QueueDamage(field: "entry") }
                if isWaiting(seen) { return true }
                ticket &+= 1
            } else {
                ticket &+= UInt64(bitPattern: distance &- 1) &* size &+ 1
            }
        }
        throw QueueDamage(field: "head")
    }

    /// Empties the entries at the front of which `isGone` says that nobody takes their messages any more, up to the first of which it says no. Whether it came to
    /// an empty entry.
    func sweep(_ isGone: (RingEntry, UInt64) -> Bool) throws(QueueDamage) -> Bool {
        var ticket = head.loadRelaxed()
        var steps: UInt64 = 0
        while true {
            let lap = lap(ticket)
            let seen = RingEntry(word: entry(ticket).loadAcquire())
            if seen == .empty(lap: lap) { return true }
            steps &+= 1
            guard steps < mostSteps, seen.isOpen else { throw QueueDamage(field: "head") }
            let distance = seen.distance(from: lap)
            if distance == 0 {
                guard seen.hasMessage else { throw QueueDamage(field: "entry") }
                guard isGone(seen, ticket) else { return false }
                clear(ticket, seen)
                ticket &+= 1
            } else {
                ticket &+= UInt64(bitPattern: distance &- 1) &* size &+ 1
            }
            head.storeRelaxed(ticket)
        }
    }

    /// Empties an entry whose message was taken, for its next lap.
    @inline(__always)
    private func clear(_ ticket: UInt64, _ seen: RingEntry) {
        _ = entry(ticket).compareExchange(seen.word, RingEntry.empty(lap: seen.lap &+ 1).word)
    }

    /// Whether an entry names this filling of the slot. O(size).
    func names(slot: Int, generation: UInt32) -> Bool {
        (0...mask).contains { index in
            let seen = RingEntry(word: entry(index).loadAcquire())
            return seen.hasMessage && seen.slot == slot && seen.generation == generation & 0xffff
        }
    }

    /// Each slot that an entry names, with the generation of its filling, modulo 2^16. O(size).
    func forEachNamed(_ body: (Int, UInt32) -> Void) {
        for index in 0...mask {
            let seen = RingEntry(word: entry(index).loadAcquire())
            if seen.hasMessage { body(seen.slot, seen.generation) }
        }
    }

    /// Whether the entry of a ticket is still this one: to be asked between looking at its slot and taking it, since in between the slot may have been filled as often as makes its generation come round.
    @inline(__always)
    func stands(_ seen: RingEntry, at ticket: UInt64) -> Bool { entry(ticket).loadAcquire() == seen.word }

    /// How many messages wait. May have changed when it is read. O(messages).
    func waiting(_ isWaiting: (RingEntry) -> Bool) -> Int {
        var count = 0
        let start = head.loadRelaxed()
        for index in 0..<size {
            let seen = RingEntry(word: entry(start &+ index).loadAcquire())
            if seen.hasMessage, isWaiting(seen) { count += 1 }
        }
        return count
    }
}
