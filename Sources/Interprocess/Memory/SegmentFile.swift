import InterprocessSystem
import SystemPackage

/// A segment's file, open and locked: it tells the kernel "somebody is here" for as long as it lives.
///
/// Every opening holds a shared lock of its own on the file's first byte. So "is anybody there?" is a question to the kernel, with an
/// answer that a killed process cannot falsify: whoever gets the exclusive lock is alone.
final class SegmentFile: Sendable {
    private let owned: OwnedDescriptor
    let mapping: SegmentMapping
    /// The opener was alone when it opened: every peer that the table still shows is dead.
    let wasAlone: Bool

    fileprivate init(owned: consuming OwnedDescriptor, mapping: SegmentMapping, wasAlone: Bool) {
        self.owned = owned
        self.mapping = mapping
        self.wasAlone = wasAlone
    }

    var descriptor: FileDescriptor { owned.descriptor }
    var header: SegmentHeader { mapping.header }
}

/// An open file and what `fstat` said of it then.
private struct OpenFile: ~Copyable {
    let owned: OwnedDescriptor
    let status: FileStatus

    static func open(_ name: String, in directory: borrowing Directory) throws(Errno) -> OpenFile {
        let owned = try directory.open(name)
        let status = try FileStatus(of: owned.descriptor)
        return OpenFile(owned: owned, status: status)
    }

    consuming func release() -> OwnedDescriptor { owned }
}

/// Where a segment is: a name in a directory, or nowhere (anonymous).
struct SegmentPlace: Sendable {
    let name: ObjectName
    let directory: ObjectDirectory
    var label: String { name.description }
}

extension SegmentFile {
    /// How long an opener waits for another that is just removing or first opening the segment.
    static let patience = Duration.seconds(5)

    /// Builds the segment without a name, then gives it the name in one step. Nobody ever sees it half-made; a creator that dies leaves
    /// nothing.
    ///
    /// - Parameter initialize: writes the object into the mapped, zeroed segment.
    static func create(
        _ plan: SegmentPlan, at place: SegmentPlace, permissions: FilePermissions,
        initialize: (SegmentMapping) throws(InterprocessError) -> Void
    ) throws(InterprocessError) -> SegmentFile {
        let operation = "create"
        try plan.check(operation, place.label)
        try checkPermissions(permissions, place)
        let directory = try place.directory.open(for: operation, place.label)
        // The link below decides; but a taken name should not cost a whole segment first, nor be reported as a lack of space.
        if (try? directory.status(of: place.label)) != nil { throw nameTaken(place) }
        let made: SegmentFile
        do {
            made = try build(plan, place.name, operation, initialize: initialize) { () throws(Errno) in
                let file = try directory.makeUnnamedFile(mode: permissions)
                try file.descriptor.setPermissions(permissions)
                return file
            } describeSpace: { file in
                let space = try? FileSystemStatus(of: file)
                return "\(place.directory.path) has \(byteCount(space?.free ?? 0)) free of \(byteCount(space?.size ?? 0))"
            }
        }
        do throws(Errno) {
            try directory.link(made.descriptor, as: place.name.description)
        } catch {
            if error == .fileExists { throw nameTaken(place) }
            throw .system(error, operation, place.label, "giving the new segment its name")
        }
        return made
    }

    private static func nameTaken(_ place: SegmentPlace) -> InterprocessError {
        InterprocessError(
            .nameTaken, "create", place.label, errno: .fileExists, "the name is taken; open it, remove it, or choose another")
    }

    /// Builds an anonymous segment: a memory file that nobody can shrink or grow.
    static func createAnonymous(
        _ plan: SegmentPlan, label: String, initialize: (SegmentMapping) throws(InterprocessError) -> Void
    ) throws(InterprocessError) -> SegmentFile {
        let operation = "create"
        try plan.check(operation, label)
        let made = try build(plan, nil, operation, initialize: initialize) { () throws(Errno) in
            try throwingErrno { () throws(FacilityError) in try MemoryFile.make(named: label, size: 0) }
        } describeSpace: { _ in
            "the system is short of memory"
        }
        do throws(FacilityError) {
            try MemoryFile.add([.shrink, .grow, .seal], to: made.descriptor)
        } catch {
            throw .system(error.errno, operation, label, "sealing its size")
        }
        return made
    }

    private static func build(
        _ plan: SegmentPlan, _ name: ObjectName?, _ operation: String,
        initialize: (SegmentMapping) throws(InterprocessError) -> Void,
        file make: () throws(Errno) -> OwnedDescriptor, describeSpace: (FileDescriptor) -> String
    ) throws(InterprocessError) -> SegmentFile {
        let label = name?.description ?? "anonymous segment"
        if let limit = largestFileSize(), plan.segmentSize > limit {
            throw InterprocessError(
                .noSpace, operation, label, errno: .fileTooLarge,
                "it needs \(byteCount(plan.segmentSize)) and this process may make files of \(byteCount(limit)) at most; ask for less, or raise that limit (ulimit -f)"
            )
        }
        let owned: OwnedDescriptor
        do throws(Errno) {
            owned = try make()
        } catch {
            throw .system(error, operation, label, "making its file")
        }
        do throws(Errno) {
            try owned.descriptor.reserve(size: plan.reservedSize)
            if plan.reservedSize < plan.segmentSize { try owned.descriptor.setSize(plan.segmentSize) }
        } catch {
            switch error {
            case .noSpace, .fileTooLarge, .diskQuotaExceeded:
                throw InterprocessError(
                    .noSpace, operation, label, errno: error,
                    "it needs \(byteCount(plan.reservedSize)) and \(describeSpace(owned.descriptor)); ask for less, remove what is not needed ('ipc list'), or make it larger (in a container --shm-size)"
                )
            default: throw .system(error, operation, label, "reserving \(byteCount(plan.reservedSize))")
            }
        }
        do throws(Errno) {
            let page = try unsafe MemoryMapping(reserving: SegmentPlan.page)
            try unsafe page.mapShared(owned.descriptor, from: 0, at: 0, size: SegmentPlan.page)
            unsafe SegmentHeader.write(plan, name: name, creator: .current(), to: page.base)
        } catch {
            throw .system(error, operation, label, "mapping its first page")
        }
        let header = try SegmentHeader(reading: owned.descriptor, fileSize: plan.segmentSize, operation, label)
        let mapping = try SegmentMapping(owned.descriptor, header, mirrorsData: plan.mirrorsData, operation, label)
        try initialize(mapping)
        do throws(Errno) {
            // Before the name: whoever finds the segment finds it in use.
            guard try FileLock.tryLock(owned.descriptor, .shared) else {
                preconditionFailure("nobody else can have opened a file that has no name")
            }
        } catch {
            throw .system(error, operation, label, "locking it")
        }
        return SegmentFile(owned: owned, mapping: mapping, wasAlone: false)
    }

    /// Opens the segment and checks that it is what the caller expects.
    ///
    /// - Parameter keepAbandoned: asked when nobody else has a segment open that lives until the last peer leaves: whether it still holds
    ///   something that must not be lost.
    static func open(
        _ place: SegmentPlace, expecting check: (SegmentHeader) throws(InterprocessError) -> Void, keepAbandoned: (SegmentMapping) -> Bool,
        mirrorsData: Bool
    ) throws(InterprocessError) -> SegmentFile {
        let operation = "open"
        let directory = try place.directory.open(for: operation, place.label)
        let deadline = MonotonicInstant.now.advanced(by: patience)
        while true {
            let file = try openFile(in: directory, place, operation)
            let status = file.status
            let descriptor = file.owned.descriptor
            guard let alone = try lock(descriptor, place.label, until: deadline) else { continue }  // removed meanwhile: look again
            let header = try SegmentHeader(reading: descriptor, fileSize: status.size, operation, place.label)
            // Before anything is removed: a copy is somebody's, and nobody's left-over.
            try header.checkName(isAt: place.label, operation)
            let mapping = try SegmentMapping(descriptor, header, mirrorsData: mirrorsData, operation, place.label)
            // Before it is compared with what the caller expects: what nobody can see any more cannot be the wrong thing.
            if alone && header.lifetime == .untilLastPeerLeaves && !keepAbandoned(mapping) {
                try unlink(place, in: directory, ifStill: status)
                continue
            }
            try check(header)
            return SegmentFile(owned: file.release(), mapping: mapping, wasAlone: alone)
        }
    }

    /// Opens a segment by a descriptor that was inherited or received.
    static func open(
        _ descriptor: FileDescriptor, label: String, expecting check: (SegmentHeader) throws(InterprocessError) -> Void, mirrorsData: Bool
    ) throws(InterprocessError) -> SegmentFile {
        let operation = "open"
        let status = try status(of: descriptor, operation, label)
        let owned = try reopen(descriptor, operation, label)
        let alone = try lock(owned.descriptor, label, until: MonotonicInstant.now.advanced(by: patience), isNamed: false) ?? false
        let header = try SegmentHeader(reading: owned.descriptor, fileSize: status.size, operation, label)
        try check(header)
        let mapping = try SegmentMapping(owned.descriptor, header, mirrorsData: mirrorsData, operation, label)
        return SegmentFile(owned: owned, mapping: mapping, wasAlone: alone)
    }

    private static func openFile(
        in directory: borrowing Directory, _ place: SegmentPlace, _ operation: String
    ) throws(InterprocessError) -> OpenFile {
        let label = place.label
        let file: OpenFile
        do throws(Errno) {
            file = try OpenFile.open(label, in: directory)
        } catch {
            switch error {
            case .noSuchFileOrDirectory:
                throw InterprocessError(
                    .notFound, operation, label, errno: error,
                    "there is no such object in \(place.directory.path); 'ipc list' shows what there is")
            case .tooManySymbolicLinkLevels:
                throw InterprocessError(
                    .notASegment, operation, label, errno: error, "it is a symbolic link, and links are never followed; remove it")
            case .isDirectory, .noSuchAddressOrDevice:
                throw InterprocessError(
                    .notASegment, operation, label, errno: error, "it is not a plain file; remove it or choose another name")
            default: throw .system(error, operation, label, "opening its file")
            }
        }
        let status = file.status
        guard status.kind == .regular else {
            throw InterprocessError(.notASegment, operation, label, "it is not a plain file; remove it or choose another name")
        }
        if let refusal = refusal(of: status, in: place.directory, operation, label) { throw refusal }
        return file
    }

    /// Why a file is not opened, by what `fstat` says of it; nil if that is as it must be.
    static func refusal(
        of status: FileStatus, in directory: ObjectDirectory, _ operation: String, _ label: String
    ) -> InterprocessError? {
        guard status.links <= 1 else {
            return InterprocessError(
                .notASegment, operation, label,
                "its file has \(status.links) names (hard links), so that it may be another object's; remove the one that is too many")
        }
        if directory.owners == .user {
            guard status.owner == currentUserID() else {
                return InterprocessError(
                    .wrongOwner, operation, label,
                    "it belongs to another user (\(describeUser(status.owner))) and is not trusted; choose another name")
            }
            guard status.permissions.isDisjoint(with: [.otherWrite]) else {
                return InterprocessError(
                    .wrongMode, operation, label,
                    "everybody may write to it (mode \(octal(status.permissions))); remove it, or run chmod o-w, or use a directory that is meant for all with owners: .anyone"
                )
            }
        }
        guard status.permissions.isDisjoint(with: [.ownerExecute, .groupExecute, .otherExecute]) else {
            return InterprocessError(
                .wrongMode, operation, label,
                "it is executable (mode \(octal(status.permissions))), which no segment is; remove it or choose another name")
        }
        return nil
    }

    /// Takes the shared lock, or the exclusive one if nobody else has any, and says whether it did.
    ///
    /// - Parameter isNamed: whether the file was found by a name.
    /// - Returns: nil if that name has been taken away meanwhile.
    private static func lock(
        _ file: FileDescriptor, _ label: String, until deadline: MonotonicInstant, isNamed: Bool = true
    ) throws(InterprocessError) -> Bool? {
        do throws(Errno) {
            while true {
                let isAlone = try FileLock.tryLock(file, .exclusive)
                let isShared = isAlone ? false : try FileLock.tryLock(file, .shared)
                if isAlone || isShared {
                    if isNamed, try FileStatus(of: file).links == 0 { return nil }
                    return isAlone
                }
                // Somebody holds it alone: for the microseconds that a removal or a first opening takes, unless it was stopped in the
                // middle.
                guard MonotonicInstant.now < deadline else {
                    throw Errno.timedOut
                }
                sleepThread(for: .milliseconds(1))
            }
        } catch {
            if error == .timedOut {
                throw InterprocessError(
                    .busy, "open", label,
                    "another process has held it alone for 5 s: it is probably stopped ('ipc who \(label)' may name it)")
            }
            throw .system(error, "open", label, "locking it")
        }
    }

    /// Whether nobody else has the segment open by now; then the lock is this opening's alone.
    func tryAlone(_ label: String) throws(InterprocessError) -> Bool {
        do throws(Errno) {
            return try FileLock.tryLock(descriptor, .exclusive)
        } catch {
            throw .system(error, "open", label, "locking it")
        }
    }

    /// Ends the time alone: others that wait to open may go on. To be called once the opener has put right what the dead left.
    func endExclusive(_ label: String) throws(InterprocessError) {
        do throws(Errno) {
            _ = try FileLock.tryLock(descriptor, .shared)
        } catch {
            throw .system(error, "open", label, "sharing its lock")
        }
    }

    /// Keeps the keepers of one thread id apart while one of them claims or gives back a slot (decision record 0002): such there are in
    /// different pid namespaces. Returns whether the lock was to be had, within a moment that is short for the others that the keeper
    /// watches.
    func lockSlots(ofThread thread: UInt32) -> Bool {
        let deadline = MonotonicInstant.now.advanced(by: .milliseconds(50))
        while true {
            // A file system without such locks is none that a segment could have been opened on.
            if (try? FileLock.tryLock(descriptor, .exclusive, byte: Self.slotLock(thread))) ?? true { return true }
            guard MonotonicInstant.now < deadline else { return false }
            sleepThread(for: .microseconds(100))
        }
    }

    func unlockSlots(ofThread thread: UInt32) { try? FileLock.unlock(descriptor, byte: Self.slotLock(thread)) }

    /// The byte whose lock it is; far behind the end of any segment.
    static func slotLock(_ thread: UInt32) -> Int64 { 1 << 62 | Int64(thread) }

    static func unlink(_ place: SegmentPlace, in directory: borrowing Directory, ifStill status: FileStatus)
        throws(InterprocessError)
    {
        do throws(Errno) {
            guard let now = try directory.status(of: place.label), now.isSameFile(as: status) else { return }
            try directory.unlink(place.label)
        } catch {
            if error == .noSuchFileOrDirectory { return }
            throw .system(error, "remove", place.label, "removing its name")
        }
    }

    /// Gives this opening's lock back; if nobody else has one, removes the name unless `keep` says that something would be lost.
    ///
    /// Given back first, and only then asked for alone: of two that leave at the same time and keep their locks until they have asked,
    /// neither would be alone.
    /// `keep` is asked under the lock, so that nobody can have put something in and left meanwhile.
    ///
    /// - Parameter isOthers: whether anybody who lives is known to have the segment open. If not, a lock that is still held is that of a
    ///   process which has been
    ///   killed and is not quite gone: the kernel tells of a death before it takes the dead process's files away. It is waited for, for a
    ///   moment.
    func leave(_ place: SegmentPlace, isOthers: () -> Bool, unless keep: () -> Bool) {
        try? FileLock.unlock(descriptor)
        let deadline = MonotonicInstant.now.advanced(by: .milliseconds(100))
        while true {
            guard let isAlone = try? FileLock.tryLock(descriptor, .exclusive) else { return }
            if isAlone { break }
            if isOthers() || MonotonicInstant.now > deadline { return }
            sleepThread(for: .microseconds(200))
        }
        if !keep() { unlinkIfStill(place) }
        // The opening ends with its last descriptor, and a child may have one, or a process that it was sent to.
        try? FileLock.unlock(descriptor)
    }

    /// Removes the name of the segment, if it still is this segment's and nobody else has it open. Returns whether nobody else had.
    func removeIfAlone(_ place: SegmentPlace) -> Bool {
        guard (try? FileLock.tryLock(descriptor, .exclusive)) == true else { return false }
        unlinkIfStill(place)
        // It is used on, and may be opened by its descriptor.
        _ = try? FileLock.tryLock(descriptor, .shared)
        return true
    }

    private func unlinkIfStill(_ place: SegmentPlace) {
        guard let directory = try? place.directory.open(for: "remove", place.label), let status = try? FileStatus(of: descriptor) else {
            return
        }
        try? SegmentFile.unlink(place, in: directory, ifStill: status)
    }

    private static func checkPermissions(_ permissions: FilePermissions, _ place: SegmentPlace) throws(InterprocessError) {
        guard permissions.isSuperset(of: .ownerReadWrite), permissions.isDisjoint(with: [.ownerExecute, .groupExecute, .otherExecute])
        else {
            throw InterprocessError(
                .invalidArgument, "create", place.label,
                "the permissions \(octal(permissions)) are impossible: a segment is readable and writable by its owner, and never executable"
            )
        }
        // What opening refuses is not made: whoever comes second would be told, far from the mistake.
        guard !place.directory.isUsersOwn || permissions.isDisjoint(with: .otherWrite) else {
            throw InterprocessError(
                .invalidArgument, "create", place.label,
                "with the permissions \(octal(permissions)) everybody may write to it, and opening such an object in the user's own directory is refused; leave that permission out, or use a directory that is meant for all, ObjectDirectory(at:owners: .anyone)"
            )
        }
    }
}
