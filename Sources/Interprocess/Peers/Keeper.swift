import CInterprocess
import InterprocessSystem
import Synchronization
import SystemPackage

/// The library's own thread in each process, alive as long as the process.
///
/// It owns the robust list with the life word of every segment that the process has open, watches the life words of all other peers,
/// repairs what the dead
/// have left, and announces deaths. It runs no code of the user's, so nothing can delay it (decision record 0002).
final class Keeper: Sendable {
    /// The keeper of this process. A forked child gets another when it opens its first segment.
    static var current: Keeper {
        while true {
            let generation = ForkGuard.generation
            let found = latest.load(ordering: .acquiring)
            if let address = unsafe UnsafeRawPointer(bitPattern: found) {
                let keeper = unsafe Unmanaged<Keeper>.fromOpaque(address).takeUnretainedValue()
                if keeper.forkGeneration == generation { return keeper }
            }
            let made = unsafe Unmanaged.passRetained(Keeper(forkGeneration: generation))
            let address = unsafe UInt(bitPattern: made.toOpaque())
            if latest.compareExchange(expected: found, desired: address, ordering: .sequentiallyConsistent).exchanged {
                return unsafe made.takeUnretainedValue()
            }
            unsafe made.release()
        }
    }

    /// An address that is never given back; 0: none.
    private static let latest = Atomic<UInt>(0)

    private let forkGeneration: Int
    /// Held while the thread is started: whoever comes meanwhile has to know whether there is one to answer.
    private let isStarted = Lock(false)
    /// Incremented for each command and each find of a watcher: the keeper's own futex.
    private let control: ControlWord
    private let commands = Lock<[Command]>([])

    private struct Command: Sendable {
        enum Kind: Sendable { case attach, detach }
        var kind: Kind
        var attachment: Attachment
        var reply: Reply
    }

    private init(forkGeneration: Int) {
        self.forkGeneration = forkGeneration
        control = ControlWord()
    }

    // MARK: asked by other threads

    /// What became of an attempt to join.
    enum Attempt {
        case joined, tableFull
        /// A keeper of the same thread id, in another pid namespace, is joining or leaving, and has not finished.
        case namesakeBusy
    }

    /// Makes this process a peer of the segment. Blocks for the moment that the keeper takes.
    ///
    /// - Throws: `busy` if this process has too many segments open, `system` if the kernel lacks what is needed.
    func attach(_ attachment: Attachment, _ operation: String, _ object: String) throws(InterprocessError) -> Attempt {
        do throws(Errno) {
            try isStarted.withLock { (isStarted) throws(Errno) in
                guard !isStarted else { return }
                try Futex.checkWaitingOnMany()
                // Here, so that the two threads do not meet at its first use: in a forked child that goes wrong (CAVEATS).
                _ = Barrier.isRegistered
                _ = CycleCounter.perMicrosecond
                try startServiceThread(named: "ipc-keeper") { self.run() }
                isStarted = true
            }
        } catch {
            if error == .noFunction {
                throw InterprocessError(
                    .system, operation, object, errno: error,
                    "this kernel has no futex_waitv, which came with Linux 5.16; use a newer kernel")
            }
            throw .system(error, operation, object, "starting the keeper thread")
        }
        switch ask(.attach, attachment) {
        case .done: return .joined
        case .tableFull: return .tableFull
        case .namesakeBusy: return .namesakeBusy
        case .listFull:
            throw InterprocessError(
                .busy, operation, object,
                unsafe "this process has \(RobustList.maximumEntries / 2) segments open, the most that the kernel watches for one thread")
        case .failed(let error): throw .system(error, operation, object, "registering with the kernel's robust list")
        }
    }

    /// Takes this process off the segment's table. Blocks for the moment that the keeper takes; then the mapping may go.
    func detach(_ attachment: Attachment) { _ = ask(.detach, attachment) }

    private func ask(_ kind: Command.Kind, _ attachment: Attachment) -> Reply.Answer {
        let reply = Reply()
        commands.withLock { $0.append(Command(kind: kind, attachment: attachment, reply: reply)) }
        poke()
        return reply.wait()
    }

    /// Lets the keeper look around.
    func poke() { control.incrementAndWake() }

    // MARK: on the keeper's thread

    private func run() {
        var list: RobustList
        do throws(Errno) {
            unsafe list = try unsafe RobustList(offset: SegmentMapping.nodeDistance)
        } catch {
            while true {
                let seen = control.value
                for command in takeCommands() { command.reply.answer(.failed(error)) }
                control.wait(while: seen)
            }
        }
        let thread = UInt32(ThreadID.current)
        var attachments: [Attachment] = []
        var watchers: [WordWatcher] = []
        // Everything once before anybody goes on, here and below: what the runtime does for this thread at the first use of a type must not fall together with a fork,
        // whose child would find the runtime's locks taken for ever (CAVEATS).
        wait(for: [], control: control.value &- 1, until: nil, &watchers)
        while true {
            var joined: [Reply] = []
            // Before looking: a change after this makes the wait return at once.
            let seen = control.value
            for command in takeCommands() {
                switch command.kind {
                case .attach:
                    let answer = unsafe join(command.attachment, thread, &list)
                    guard case .done = answer else {
                        command.reply.answer(answer)
                        continue
                    }
                    attachments.append(command.attachment)
                    joined.append(command.reply)
                case .detach:
                    attachments.removeAll { $0 === command.attachment }
                    for watcher in watchers { watcher.assign([]) }
                    unsafe leave(command.attachment, thread, &list)
                    command.attachment.finish()
                    command.reply.answer(.done)
                }
            }
            var words: [ipc_futex_waiter] = []
            var echo: MonotonicInstant?
            for attachment in attachments {
                look(at: attachment, &words)
                if let due = attachment.echoDeaths() { echo = min(echo ?? due, due) }
            }
            for reply in joined { reply.answer(.done) }
            wait(for: words, control: seen, until: echo, &watchers)
        }
    }

    private func takeCommands() -> [Command] {
        commands.withLock { commands in
            defer { commands = [] }
            return commands
        }
    }

    /// Claims a free slot: the life word with the keeper's thread id, watched by the kernel from the first instruction on.
    private func join(_ attachment: Attachment, _ thread: UInt32, _ list: inout RobustList) -> Reply.Answer {
        let table = attachment.table
        guard unsafe list.count + 2 <= RobustList.maximumEntries else { return .listFull }
        // Between the announcement of a claim and the claim, the kernel knows the owner by the thread id alone.
        guard attachment.file.lockSlots(ofThread: thread) else { return .namesakeBusy }
        defer { attachment.file.unlockSlots(ofThread: thread) }
        for slot in 0..<table.count where table.life(slot).loadRelaxed() == 0 {
            let life = table.life(slot)
            let taken = unsafe list.enter(life.rawAddress) { unsafe life.compareExchange(0, thread | RobustList.waiters) }
            guard taken else { continue }
            let callerLife = table.callerLife(slot)
            _ = unsafe list.enter(callerLife.rawAddress) {
                unsafe callerLife.storeRelease(thread | RobustList.waiters)
                return true
            }
            let peer = PeerID(slot: slot, generation: table.generation(slot).loadAcquire() & 0x3fffff)
            // The other keepers first, so that they watch the life word of whoever is joined: a peer that died between the two in the other
            // order would have joined, and nobody would know to look.
            table.membership.add(1)
            unsafe Futex.wake(table.membership.rawAddress)
            table.publish(peer, .current())
            attachment.setPeer(peer)
            return .done
        }
        return .tableFull
    }

    private func leave(_ attachment: Attachment, _ thread: UInt32, _ list: inout RobustList) {
        guard let peer = attachment.peer else { return }
        let table = attachment.table
        let callerLife = table.callerLife(peer.slot)
        // A process cannot fail to leave: if a namesake was stopped just now, it goes without.
        let isLocked = attachment.file.lockSlots(ofThread: thread)
        defer { if isLocked { attachment.file.unlockSlots(ofThread: thread) } }
        unsafe list.leave(callerLife.rawAddress) { callerLife.storeRelease(0) }
        unsafe list.leave(table.life(peer.slot).rawAddress) { table.giveBack(peer.slot) }
        table.membership.add(1)
        unsafe Futex.wake(table.membership.rawAddress)
    }

    /// Repairs the dead of one segment, announces deaths, and adds the words to wait on.
    private func look(at attachment: Attachment, _ words: inout [ipc_futex_waiter]) {
        guard let me = attachment.peer else { return }
        let table = attachment.table
        // All words are read before anything is looked at: whoever dies from then on has changed a word that is slept on. In the other order,
        // a repairer that died between the look at its claim and the reading of its word would be slept on as a dead one, for ever.
        unsafe words.append(ipc_futex_waiter(table.membership.rawAddress, while: table.membership.loadAcquire()))
        unsafe words.append(ipc_futex_waiter(table.deaths.rawAddress, while: table.deaths.loadAcquire()))
        for slot in 0..<table.count where slot != me.slot {
            // This process's own other peers too: their words hold the same thread id, but so may those of a process of another pid namespace.
            let life = table.life(slot).loadAcquire()
            if life == 0 { continue }
            unsafe words.append(ipc_futex_waiter(table.life(slot).rawAddress, while: life))
        }
        _ = Repair(table: table, recovery: attachment.recovery, me: me).run()
        attachment.announceDeaths()
        attachment.announceMembership()
    }

    /// Sleeps until one of the words changes, or until `echo`. Those that the kernel does not take in one call are given to helpers.
    private func wait(
        for words: [ipc_futex_waiter], control seen: UInt32, until echo: MonotonicInstant?, _ watchers: inout [WordWatcher]
    ) {
        let chunk = Futex.maximumWords - 1
        var rest = words.dropFirst(chunk)
        var index = 0
        while !rest.isEmpty || index < watchers.count {
            if index == watchers.count {
                // No thread to be had: these words are looked at whenever something else happens.
                guard let watcher = try? WordWatcher(keeper: self) else { break }
                watchers.append(watcher)
            }
            watchers[index].assign(Array(rest.prefix(chunk)))
            rest = rest.dropFirst(chunk)
            index += 1
        }
        var mine = [control.waiter(while: seen)] + words.prefix(chunk)
        unsafe mine.withUnsafeMutableBufferPointer { buffer in
            // EFAULT and the like cannot happen: all words are in mappings that only a command to this thread takes away.
            _ = try? unsafe Futex.wait(any: buffer, until: echo)
        }
    }
}

/// The keeper's answer to a command, for which the asking thread waits.
private final class Reply: Sendable {
    enum Answer: Sendable { case done, tableFull, namesakeBusy, listFull, failed(Errno) }

    private let word = ControlWord()
    private let answer = Lock<Answer?>(nil)

    func answer(_ value: Answer) {
        answer.withLock { $0 = value }
        word.incrementAndWake()
    }

    func wait() -> Answer {
        while true {
            let seen = word.value
            if let value = answer.withLock({ $0 }) { return value }
            word.wait(while: seen)
        }
    }
}

/// Sleeps on words that did not fit into the keeper's own wait, and pokes the keeper when one changes.
private final class WordWatcher: Sendable {
    private let words = Lock<[ipc_futex_waiter]>([])
    private let control = ControlWord()

    init(keeper: Keeper) throws(Errno) {
        try startServiceThread(named: "ipc-watcher") { self.run(keeper) }
    }

    func assign(_ new: [ipc_futex_waiter]) {
        words.withLock { $0 = new }
        control.incrementAndWake()
    }

    private func run(_ keeper: Keeper) {
        while true {
            let seen = control.value
            var mine = words.withLock { $0 }
            guard !mine.isEmpty else {
                control.wait(while: seen)
                continue
            }
            mine.append(control.waiter(while: seen))
            unsafe mine.withUnsafeMutableBufferPointer { buffer in
                // A word whose mapping has just been taken away is an error here, and has been taken off the list by then.
                _ = try? unsafe Futex.wait(any: buffer)
            }
            if control.value == seen {
                words.withLock { $0 = [] }
                keeper.poke()
            }
        }
    }
}
