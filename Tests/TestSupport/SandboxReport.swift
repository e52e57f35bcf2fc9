public import Interprocess
import Synchronization

/// What the test asks of a process under a filter, as the value of a turn.
public enum SandboxOrder: UInt64, CaseIterable {
    /// It opens a file, and answers with the error, or 0.
    case openFile = 0xffff_ffff_0000_0001
    /// It removes a name.
    case removeName
    /// It takes memory and gives it back, on two threads.
    case allocate
    /// It does what a program may do for the first time only now.
    case lock
    /// It answers with how many signals its handler has seen.
    case countSignals
    /// It closes, and lives on until it may exit.
    case leave
}

/// What a process that may not write says: words in a segment.
@safe
public struct SandboxReport: @unchecked Sendable {
    public enum Word: Int, CaseIterable { case isFiltered, turns, ends, deadPID, hasClosed, mayExit }

    private let segment: Segment
    private let words: UnsafeMutablePointer<Atomic<UInt64>>

    public static let size = Word.allCases.count * 8

    public init(_ segment: Segment) throws {
        self.segment = segment
        unsafe words = segment.withBytes { unsafe $0.bindMemory(to: Atomic<UInt64>.self).baseAddress! }
    }

    public subscript(_ word: Word) -> UInt64 {
        get { unsafe words[word.rawValue].load(ordering: .acquiring) }
        nonmutating set { unsafe words[word.rawValue].store(newValue, ordering: .releasing) }
    }
}
