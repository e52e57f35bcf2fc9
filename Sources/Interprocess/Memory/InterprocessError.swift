public import SystemPackage

/// Something could not be set up, opened or asked of the system. What happens in the course of work (full, empty, closed, a peer died) has
/// types of its own.
///
/// `description` is one sentence: what failed, why, and what to do.
public struct InterprocessError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is. Further codes may come with later versions.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public let description: String

        /// The name is empty, too long, or has a character that is not allowed.
        public static let invalidName = Code(description: "invalidName")
        /// An argument is outside of what is possible.
        public static let invalidArgument = Code(description: "invalidArgument")
        /// Nothing has that name.
        public static let notFound = Code(description: "notFound")
        /// Something has that name already.
        public static let nameTaken = Code(description: "nameTaken")
        /// What stands under the name is not one of our segments, or not a whole one.
        public static let notASegment = Code(description: "notASegment")
        /// It was made under another name: its file is a copy, or was renamed.
        public static let nameMismatch = Code(description: "nameMismatch")
        /// It was made by a version with another memory layout.
        public static let versionMismatch = Code(description: "versionMismatch")
        /// It is an object of another kind.
        public static let kindMismatch = Code(description: "kindMismatch")
        /// It holds elements of another type.
        public static let elementMismatch = Code(description: "elementMismatch")
        /// It is a queue that does something else when it is full.
        public static let overflowMismatch = Code(description: "overflowMismatch")
        /// It is smaller than asked for.
        public static let sizeMismatch = Code(description: "sizeMismatch")
        /// It belongs to another user.
        public static let wrongOwner = Code(description: "wrongOwner")
        /// Others than its owner may change it, or its owner may not.
        public static let wrongMode = Code(description: "wrongMode")
        /// There is not enough memory on the file system that holds it.
        public static let noSpace = Code(description: "noSpace")
        /// The role, the lock or the slot is taken by somebody who is alive.
        public static let busy = Code(description: "busy")
        /// Two came for a role that only one can have, while the other role was free: a mistake of whoever started them.
        public static let clash = Code(description: "clash")
        /// Nobody came before the deadline.
        public static let deadline = Code(description: "deadline")
        /// This process was forked from the one that opened the object.
        public static let detached = Code(description: "detached")
        /// The shared bytes are not what they must be.
        public static let damaged = Code(description: "damaged")
        /// A system call failed for another reason; see ``InterprocessError/errno``.
        public static let system = Code(description: "system")
    }

    public let code: Code
    /// The object that it is about, as the caller named it.
    public let object: String
    /// What was being done: "create", "open", "remove" …
    public let operation: String
    /// The system's own error where there is one.
    public let errno: Errno?
    /// Why, and what to do about it.
    public let reason: String

    public init(_ code: Code, _ operation: String, _ object: String, errno: Errno? = nil, _ reason: String) {
        self.code = code
        self.object = object
        self.operation = operation
        self.errno = errno
        self.reason = reason
    }

    /// One line, whatever the object is called.
    public var description: String {
        let name = String(decoding: object.utf8.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
        return "cannot \(operation) '\(name)': \(reason)"
    }
}

extension InterprocessError {
    /// A system call failed; with what to do for the errors that have a usual cause.
    static func system(_ errno: Errno, _ operation: String, _ object: String, _ doing: String) -> InterprocessError {
        let advice: String
        switch errno {
        case .permissionDenied, .notPermitted: advice = "; check who owns the directory and the file, and their permissions"
        case .tooManyOpenFiles: advice = "; raise the limit of open files (ulimit -n) or close objects that are not needed"
        case .tooManyOpenFilesInSystem: advice = "; the whole system has no more files (fs.file-max)"
        case .noMemory: advice = "; the system is short of memory, or this process may have no more mappings (vm.max_map_count)"
        case .notSupported, .notSupportedOnSocket:
            advice = "; the file system of the directory cannot make unnamed files: use one on tmpfs, ext4, xfs or btrfs"
        case .readOnlyFileSystem: advice = "; the file system is mounted read-only"
        default: advice = ""
        }
        return InterprocessError(.system, operation, object, errno: errno, "\(doing): \(errno)\(advice)")
    }
}
