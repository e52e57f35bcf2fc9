import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// What the processes of the handoffs' demonstration tell the one that has started them: words in a segment of no name. Under their filter they
/// can write nowhere else.
@safe
struct HandoffDemoControl {
    enum Word: Int, CaseIterable {
        /// The judge's, from time to time: rounds whose number was found, and all guesses.
        case rounds, guesses
        /// When the first round began and the last one ended. CLOCK_MONOTONIC.
        case start, end
    }

    /// Of each contestant.
    enum ContestantWord: Int, CaseIterable {
        /// The contestant's: how far it is, a ``Progress``.
        case progress
        /// The contestant's: the error that opening a file gave it, plus 1; 0 if it has not tried.
        case openError
        /// When it was killed, or made the call that ended it. CLOCK_MONOTONIC.
        case killed
        /// The judge's: when it was told of the end, whose, and how it ended: 1 closed, 2 died.
        case told, deadPID, end
        /// The judge's: rounds and guesses of this contestant, the round in which it ended, and its guesses in that.
        case rounds, guesses, lastRound, guessesInLastRound
    }

    /// How far a contestant is.
    enum Progress: UInt64 {
        /// It has joined and installed its filter.
        case playing = 1
        /// It has stopped in the middle of a round, to be killed.
        case stopped = 2
        /// It does what nobody may.
        case escaping = 3
        /// And that has succeeded.
        case escaped = 4
    }

    static let mostContestants = 64
    /// The number by which children inherit it.
    static let descriptor: Int32 = 3
    private static let stride = 64

    private let segment: Segment

    init() throws(InterprocessError) {
        let words = Word.allCases.count + Self.mostContestants * ContestantWord.allCases.count
        segment = try Segment.anonymous(size: words * Self.stride)
    }

    private init(_ segment: Segment) { self.segment = segment }

    /// In a child.
    static func inherited() throws -> HandoffDemoControl { Self(try Segment.open(descriptor: .init(rawValue: descriptor))) }

    /// To be given to children as ``descriptor``.
    var file: FileDescriptor { segment.descriptor }

    private func word(_ index: Int) -> SharedUInt64 {
        unsafe segment.withBytes { unsafe SharedUInt64(at: $0.baseAddress! + index * Self.stride) }
    }

    private func index(_ contestant: Int, _ name: ContestantWord) -> Int {
        precondition((0..<Self.mostContestants).contains(contestant))
        return Word.allCases.count + contestant * ContestantWord.allCases.count + name.rawValue
    }

    subscript(_ name: Word) -> UInt64 {
        get { word(name.rawValue).loadAcquire() }
        nonmutating set { word(name.rawValue).storeRelease(newValue) }
    }

    subscript(_ contestant: Int, _ name: ContestantWord) -> UInt64 {
        get { word(index(contestant, name)).loadAcquire() }
        nonmutating set { word(index(contestant, name)).storeRelease(newValue) }
    }

    func progress(of contestant: Int) -> Progress? { Progress(rawValue: self[contestant, .progress]) }
}

/// What both sides of the demonstration are told by the parent.
struct HandoffDemoOptions: ParsableArguments {
    /// No step takes so long on any machine.
    static let patience = Duration.seconds(60)

    @Option var handoff: String
    @Option var directory: String
    @Option var parent: Int32

    static func arguments(_ handoff: ObjectName, _ directory: ObjectDirectory) -> [String] {
        ["--handoff", "\(handoff)", "--directory", directory.path.string, "--parent", "\(ProcessIdentity.current().pid)"]
    }

    /// What the parent has made for this process, which ends with it.
    func control() throws -> HandoffDemoControl {
        guard endWithParent(parent, by: Signal.kill) else {
            throw CommandFailure("this is started by 'ipc demo handoff', not by hand", status: 64)
        }
        return try HandoffDemoControl.inherited()
    }

    /// Joins as `role`, then gives up everything but the turns: from the return on any other system call ends the process.
    func begin(as role: HandoffRole) throws -> Handoff {
        let options = HandoffOptions(directory: ObjectDirectory(at: FilePath(directory)))
        let handoff = try Handoff.join(try ObjectName(self.handoff), as: role, options: options, until: .after(Self.patience))
        // What its filter kills leaves no file behind, and is known to be dead at once.
        forbidCoreDump()
        do {
            try SystemCallFilter(Handoff.systemCallsAfterSetUp, otherwise: .killProcess).install()
        } catch {
            throw CommandFailure("cannot install the filter of system calls: \(error)")
        }
        return handoff
    }
}

/// How a process of the demonstration ends that can say nothing any more: its status.
enum HandoffDemoStatus {
    static let success: Int32 = 0
    static let patienceLost: Int32 = 3, partnerGone: Int32 = 4, nonsense: Int32 = 5, damaged: Int32 = 6, escaped: Int32 = 7

    static func of(_ error: any Error) -> Int32 {
        if case HandoffError.deadline = error { return patienceLost }
        if let error = error as? InterprocessError, error.code == .deadline { return patienceLost }
        return damaged
    }

    static func describe(_ ending: ChildProcess.Ending) -> String {
        switch ending {
        case .exited(success): "ended well"
        case .exited(patienceLost): "has waited for the other side in vain"
        case .exited(partnerGone): "found its partner gone"
        case .exited(nonsense): "got an answer that makes no sense"
        case .exited(damaged): "found the handoff damaged"
        case .exited(escaped): "could do what its filter forbids"
        case .exited(let status): "ended with status \(status)"
        case .signalled(SystemCallFilter.signal): "was killed by its filter of system calls (SIGSYS)"
        case .signalled(let signal): "was ended by signal \(signal)"
        }
    }
}
