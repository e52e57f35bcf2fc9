import CInterprocess
import InterprocessSystem
import SystemPackage

/// The parts of a streamed reply: the reply window as a ring of bytes. A part stands in one piece behind a header of 8 bytes; what is left at the window's end is skipped.
///
/// **Memory order** `SYNC call.parts`: release of `written` by the server ⇄ acquire by the client; release of `read` by the client ⇄ acquire by the server; a full fence between either and the look at the other's mark.
/// **Trust** the other side's position is read once and compared with the own one and the window's size, the length with what was written.
enum PartHeader {
    static let size = 8
    static let part: UInt64 = 1
    static let skip: UInt64 = 2
    static func word(_ kind: UInt64, _ length: Int) -> UInt64 { kind << 56 | UInt64(length) }
    static func length(_ word: UInt64) -> Int { Int(word & (1 << 56 - 1)) }
    /// Bytes that a part takes.
    static func room(_ length: Int) -> Int { (length + 7) / 8 * 8 + size }
}

extension ServiceCore {
    /// The largest part, and the largest reply, in bytes.
    var largestReply: Int { shape.replySize - PartHeader.size }

    /// What a look for room came to.
    enum PartRoom {
        /// Bytes from the beginning of the window.
        case place(Int)
        case failed(ServeError)
    }

    /// Where the next part of `length` bytes is to be written, if there is room.
    private func partNow(_ index: Int, _ mine: CallState, _ length: Int) -> PartRoom? {
        if isAbandoned(index, mine) {
            return .failed(records.current(index) == mine.abandoned() ? .callerGone : callServeFailure("state"))
        }
        let window = shape.replySize
        let (written, read) = (records.written(index).loadRelaxed(), records.read(index).loadAcquire())
        guard read <= written, written - read <= UInt64(window), written % 8 == 0 else { return .failed(callServeFailure("read")) }
        var place = Int(written % UInt64(window))
        var free = window - Int(written - read)
        let need = PartHeader.room(length)
        let reserved = Int(clamping: records.replyReserved(index).loadRelaxed())
        // In one piece; and in memory that is there already, if the client has read everything.
        if place + need > window || free == window && need <= place && place + need > reserved {
            let rest = window - place
            guard free >= rest else { return nil }
            do { try reserveReply(index, place + PartHeader.size) } catch { return .failed(.noSpace) }
            let header = PartHeader.word(PartHeader.skip, rest - PartHeader.size)
            unsafe words.replyWindow(index).storeBytes(of: header, toByteOffset: place, as: UInt64.self)
            publish(index, written &+ UInt64(rest))
            free -= rest
            place = 0
        }
        guard free >= need else { return nil }
        do { try reserveReply(index, place + need) } catch { return .failed(.noSpace) }
        return .place(place + PartHeader.size)
    }

    private func publish(_ index: Int, _ written: UInt64) {
        records.written(index).storeRelease(written)
        fullFence()
        records.answer(index).notifyAll()
    }

    func lookForRoom(_ index: Int, _ mine: CallState, _ length: Int, _ waiting: inout WaitingCall) -> Look<PartRoom> {
        let deaths = table.deaths.loadAcquire()
        if let found = partNow(index, mine, length) { return .done(found) }
        guard waiting.maySleep else { return .busy }
        let attention = records.attention(index)
        let seen = attention.prepare()
        if let found = partNow(index, mine, length) { return .done(found) }
        return .sleep(SleepWords(event: attention.word, eventSeen: seen, life: table.deaths, lifeSeen: deaths))
    }

    func publishPart(_ index: Int, _ length: Int) {
        let written = records.written(index).loadRelaxed()
        // A multiple of 8, whatever stands there by now: in the window.
        let place = Int(written % UInt64(shape.replySize)) & ~7
        unsafe words.replyWindow(index).storeBytes(of: PartHeader.word(PartHeader.part, length), toByteOffset: place, as: UInt64.self)
        publish(index, written &+ UInt64(PartHeader.room(length)))
    }

    // MARK: The client's side

    /// The first part that was not read; nil: there is none now. Frees what was skipped.
    func nextPart(_ index: Int) throws(QueueDamage) -> UnsafeRawBufferPointer? {
        let window = shape.replySize
        // What is skipped ends at the window's end: there are never two in a row.
        for _ in 0..<2 {
            let (read, written) = (records.read(index).loadRelaxed(), records.written(index).loadAcquire())
            guard written >= read, written - read <= UInt64(window) else { throw QueueDamage(field: "written") }
            guard written != read else { return nil }
            let place = Int(read % UInt64(window))
            guard written - read >= UInt64(PartHeader.size), read % 8 == 0 else { throw QueueDamage(field: "written") }
            let start = unsafe words.replyWindow(index) + place
            let word = unsafe start.load(as: UInt64.self)
            let length = PartHeader.length(word)
            guard length <= window, UInt64(PartHeader.room(length)) <= written - read, place + PartHeader.room(length) <= window else {
                throw QueueDamage(field: "part")
            }
            switch word >> 56 {
            case PartHeader.part: return unsafe UnsafeRawBufferPointer(start: start + PartHeader.size, count: length)
            case PartHeader.skip: freeParts(index, read &+ UInt64(PartHeader.room(length)))
            default: throw QueueDamage(field: "part")
            }
        }
        throw QueueDamage(field: "part")
    }

    /// The client has read the first part, of `length` bytes.
    func partIsRead(_ index: Int, _ length: Int) {
        freeParts(index, records.read(index).loadRelaxed() &+ UInt64(PartHeader.room(length)))
    }

    private func freeParts(_ index: Int, _ read: UInt64) {
        records.read(index).storeRelease(read)
        fullFence()
        records.attention(index).notifyAll()
    }
}

extension ServedCall {
    private func check(_ length: Int) throws(ServeError) {
        guard state.isStreamed else { throw .notStreamed }
        guard length <= core.largestReply else { throw .tooLarge(limit: core.largestReply) }
    }

    /// Where the next part is to be written; waits for room.
    func part(_ length: Int, until deadline: Deadline) throws(ServeError) -> UnsafeMutableRawPointer {
        try check(length)
        var waiting = WaitingCall(maySleep: true)
        return unsafe try place(
            WaitingCall.block(.adaptive, until: deadline, &waiting) { core.lookForRoom(index, state, length, &$0) })
    }

    func part(_ length: Int, until deadline: Deadline) async throws(ServeError) -> UnsafeMutableRawPointer {
        try check(length)
        var waiting = WaitingCall(maySleep: true)
        let (core, index, state) = (core, index, state)
        return unsafe try place(
            await WaitingCall.suspend(core.segment, until: deadline, &waiting) { core.lookForRoom(index, state, length, &$0) })
    }

    private func place(_ ending: WaitEnding<ServiceCore.PartRoom>) throws(ServeError) -> UnsafeMutableRawPointer {
        switch ending {
        case .done(.place(let place)): return unsafe core.words.replyWindow(index) + place
        case .done(.failed(let failure)): throw failure
        case .deadline: throw .deadline
        case .cancelled: throw .cancelled
        }
    }

    func publishPart(_ length: Int) { core.publishPart(index, length) }
}
