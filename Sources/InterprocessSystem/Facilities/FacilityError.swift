import Glibc
public import SystemPackage

/// Why a call of a facility did not do what it was to do: which facility, what it did, what the kernel said, and what to do about it.
///
/// What belongs to the work is no error: the `try…` forms return nil where they would have to wait, reading returns 0 at the end.
public struct FacilityError: Error, Sendable, Equatable, CustomStringConvertible {
    public let facility: Facility
    /// The call that failed, or that was waited for.
    public let operation: SystemCallName
    /// What the kernel said; ``isDeadline`` and ``isCancelled`` are the library's own.
    public let errno: Errno
    /// The name or path of the object; empty if it has none.
    public let object: String
    /// How many bytes had been written before.
    public internal(set) var transferred = 0

    init(_ facility: Facility, _ operation: SystemCallName, _ errno: Errno, object: String = "") {
        (self.facility, self.operation, self.errno, self.object) = (facility, operation, errno, object)
    }

    /// The deadline passed.
    public var isDeadline: Bool { errno == .deadline }

    /// The task was cancelled.
    public var isCancelled: Bool { errno == .canceled }

    /// The other side has closed its end, or has died: the kernel does not tell which.
    public var isOtherSideGone: Bool {
        [.brokenPipe, .connectionReset, .socketNotConnected].contains(errno)
            || errno == .ioError && operation != "read" && facility == .terminal
    }

    /// What to do, in one sentence.
    public var advice: String { facility.advice(operation, errno) ?? errno.commonAdvice }

    public var description: String {
        let place = object.isEmpty ? "" : " of \(object)"
        let part = transferred == 0 ? "" : " after \(transferred) bytes"
        return "\(facility): \(operation)\(place) failed\(part): \(errno) (errno \(errno.rawValue)); \(advice)"
    }
}

/// Does what fails by a ``FacilityError`` for a caller that has words of its own for the errno.
package func throwingErrno<R: ~Copyable>(_ body: () throws(FacilityError) -> R) throws(Errno) -> R {
    do throws(FacilityError) {
        return try body()
    } catch {
        throw error.errno
    }
}

extension Errno {
    /// `ETIMEDOUT`, which ``Errno/timedOut`` is not on Linux.
    static let deadline = Errno(rawValue: Glibc.ETIMEDOUT)

    /// What to do about an error that means the same everywhere.
    fileprivate var commonAdvice: String {
        switch self {
        case .deadline: "the deadline passed; wait longer, or see what the other side is doing"
        case .canceled: "the task was cancelled while it waited"
        case .tooManyOpenFiles: "this process has too many open files; close some, or raise the limit (ulimit -n)"
        case .tooManyOpenFilesInSystem: "the machine has too many open files; close some, or raise fs.file-max"
        case .noMemory: "the kernel has no memory for it; free some, or ask for less"
        case .badFileDescriptor: "the descriptor is not open for this; keep it open for as long as it is used"
        case .permissionDenied, .notPermitted: "this user may not do that; ask its owner for permission"
        case .noSuchFileOrDirectory: "there is nothing of that name; create it first, or look at the path"
        case .fileExists: "the name is taken; open what is there, or take another name"
        case .notDirectory: "a part of the path is not a directory; look at the path"
        case .fileNameTooLong: "the name is longer than the kernel takes; take a shorter one"
        case .tooManySymbolicLinkLevels: "the path leads through too many links; look at the path"
        case .readOnlyFileSystem: "the file system is read-only; take another directory"
        case .noSpace: "there is no room left; remove what is not needed"
        case .noFunction, .notSupported: "this kernel does not have it; use a newer one"
        default: "section ERRORS of the call's manual page says more"
        }
    }
}
