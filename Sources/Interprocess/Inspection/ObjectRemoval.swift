import InterprocessSystem
public import SystemPackage

/// Removing names. Who has a removed object open keeps working with it; the name is free for another.
extension ObjectDirectory {
    /// Removes the object `name`, whoever uses it, also one that is damaged, a copy, or was made by another version. Something that is no
    /// object of this library is refused.
    ///
    /// - Returns: what was removed.
    /// - Throws: ``InterprocessError`` `notFound`, `notASegment`, `wrongOwner`, `system`.
    @discardableResult
    public func remove(_ name: ObjectName) throws(InterprocessError) -> ObjectStatus { try remove(named: name.fileName) }

    /// The same for a file whose name is no ``ObjectName``: it may be an object that was renamed.
    @discardableResult
    public func remove(named fileName: FilePath.Component) throws(InterprocessError) -> ObjectStatus {
        try remove(fileName) { (status) throws(InterprocessError) in
            if case .unreadable(let error) = status.content, !Self.isOurs(error) { throw error }
        }
    }

    /// Removes the file `fileName`, whatever it is, unless it is a directory. For people who know what they do.
    ///
    /// - Throws: ``InterprocessError`` `notFound`, `invalidName` if it is a path, `system`.
    @discardableResult
    public func removeAnything(named fileName: String) throws(InterprocessError) -> ObjectStatus {
        guard !fileName.utf8.contains(0), let name = FilePath.Component(fileName), name.kind == .regular else {
            throw Self.noFileName(fileName)
        }
        return try removeAnything(named: name)
    }

    /// Removes the file `fileName`, whatever it is, unless it is a directory, and whatever bytes its name has.
    ///
    /// - Throws: ``InterprocessError`` `notFound`, `invalidName` if it is `.` or `..`, `system`.
    @discardableResult
    public func removeAnything(named fileName: FilePath.Component) throws(InterprocessError) -> ObjectStatus {
        guard fileName.kind == .regular else { throw Self.noFileName(fileName.string) }
        return try remove(fileName) { (_) throws(InterprocessError) in }
    }

    private func remove(
        _ fileName: FilePath.Component, unlessRefused check: (ObjectStatus) throws(InterprocessError) -> Void
    ) throws(InterprocessError) -> ObjectStatus {
        let name = fileName.printable
        let directory = try open(for: "remove", name)
        guard let status = try status(of: fileName, in: directory, "remove") else { throw notFound("remove", name) }
        try check(status)
        do throws(Errno) {
            try directory.unlink(fileName)
        } catch {
            switch error {
            case .noSuchFileOrDirectory: throw notFound("remove", name)
            case .isDirectory:
                throw InterprocessError(
                    .invalidArgument, "remove", name, errno: error, "it is a directory and no object; remove it with rmdir")
            default: throw .system(error, "remove", name, "removing its name")
            }
        }
        return status
    }

    /// Whether a file that cannot be read is an object of this library all the same: it has our mark, but not our version or its own name,
    /// or is damaged.
    private static func isOurs(_ error: InterprocessError) -> Bool {
        [.versionMismatch, .nameMismatch, .damaged].contains(error.code)
    }

    /// Removes what is left over from processes that were killed: objects that live until their last peer leaves, that nobody has open, and
    /// that hold nothing which was not received. Each is proven to be that while it is locked against everybody. Nothing else is touched:
    /// no file that is not an object under its own name.
    ///
    /// - Parameter withMessages: whether queues go too that hold messages which nobody has received.
    /// - Returns: what was removed.
    /// - Throws: ``InterprocessError`` `system` if the directory cannot be read, or one of the objects not be opened or removed; the others
    ///   are removed then.
    public func collectGarbage(withMessages: Bool = false) throws(InterprocessError) -> [ObjectStatus] {
        var removed: [ObjectStatus] = []
        var failure: InterprocessError?
        for object in try objects() where object.isGarbage(withMessages: withMessages) {
            do throws(InterprocessError) {
                if try removeIfGarbage(object, withMessages: withMessages) { removed.append(object) }
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return removed
    }

    /// Removes one object if it is garbage; false if it is not, or not any more.
    package func removeIfGarbage(_ object: ObjectStatus, withMessages: Bool) throws(InterprocessError) -> Bool {
        let operation = "collect"
        guard let name = object.details?.header.name else { return false }
        let label = name.description
        let directory = try open(for: operation, label)
        let file: OwnedDescriptor
        do throws(Errno) {
            file = try directory.open(label)
        } catch {
            if error == .noSuchFileOrDirectory { return false }
            throw .system(error, operation, label, "opening its file")
        }
        // Whoever opens it now waits until the lock is gone with `file`, and then finds that the name is another's or nobody's.
        guard (try? FileLock.tryLock(file.descriptor, .exclusive)) == true, let status = try? FileStatus(of: file.descriptor) else {
            return false
        }
        guard let header = try? SegmentHeader(reading: file.descriptor, fileSize: status.size, operation, label), header.name == name else {
            return false
        }
        guard try SegmentMapping(readOnly: file.descriptor, header, operation, label).isGarbageIfAlone(withMessages: withMessages) else {
            return false
        }
        try SegmentFile.unlink(SegmentPlace(name: name, directory: self), in: directory, ifStill: status)
        return true
    }
}
