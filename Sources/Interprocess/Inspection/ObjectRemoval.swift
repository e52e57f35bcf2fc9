import InterprocessSystem
import SystemPackage

/// Removing names. Who has a removed object open keeps working with it; the name is free for another.
extension ObjectDirectory {
    /// Removes the object `name`, whoever uses it, also one that is damaged or was made by another version. Something that is no object of
    /// this library is
    /// refused.
    ///
    /// - Returns: what was removed.
    /// - Throws: ``InterprocessError`` `notFound`, `notASegment`, `wrongOwner`, `system`.
    @discardableResult
    public func remove(_ name: ObjectName) throws(InterprocessError) -> ObjectStatus {
        try remove(name.description) { (status) throws(InterprocessError) in
            if case .unreadable(let error) = status.content, !Self.isOurs(error) { throw error }
        }
    }

    /// Removes the file `fileName`, whatever it is, unless it is a directory. For people who know what they do.
    ///
    /// - Throws: ``InterprocessError`` `notFound`, `invalidName` if it is a path, `system`.
    @discardableResult
    public func removeAnything(named fileName: String) throws(InterprocessError) -> ObjectStatus {
        guard !fileName.isEmpty, !fileName.utf8.contains(UInt8(ascii: "/")), !fileName.utf8.contains(0), fileName != ".", fileName != ".."
        else {
            throw InterprocessError(.invalidName, "remove", fileName, "it is not the name of a file in \(path)")
        }
        return try remove(fileName) { (_) throws(InterprocessError) in }
    }

    private func remove(
        _ name: String, unlessRefused check: (ObjectStatus) throws(InterprocessError) -> Void
    ) throws(InterprocessError) -> ObjectStatus {
        let directory = try open(for: "remove", name)
        guard let status = try status(of: name, in: directory, "remove") else { throw notFound("remove", name) }
        try check(status)
        do throws(Errno) {
            try directory.unlink(name)
        } catch {
            switch error {
            case .noSuchFileOrDirectory: throw notFound("remove", name)
            case .isDirectory: throw InterprocessError(.invalidArgument, "remove", name, errno: error, "it is a directory")
            default: throw .system(error, "remove", name, "removing its name")
            }
        }
        return status
    }

    /// Whether a file that cannot be read is an object of this library all the same: it has our mark, but not our version, or is damaged.
    private static func isOurs(_ error: InterprocessError) -> Bool { [.versionMismatch, .damaged].contains(error.code) }

    /// Removes what is left over from processes that were killed: objects that live until their last peer leaves, that nobody has open, and
    /// that hold
    /// nothing which was not received. Each is proven to be that while it is locked against everybody. Nothing else is touched.
    ///
    /// - Parameter withMessages: whether queues go too that hold messages which nobody has received.
    /// - Returns: what was removed.
    public func collectGarbage(withMessages: Bool = false) throws(InterprocessError) -> [ObjectStatus] {
        var removed: [ObjectStatus] = []
        for object in try objects() where object.isGarbage(withMessages: withMessages) {
            guard let name = try? ObjectName(object.fileName) else { continue }
            if try removeIfGarbage(name, withMessages) { removed.append(object) }
        }
        return removed
    }

    /// Removes one object if it is garbage; false if it is not, or not any more.
    private func removeIfGarbage(_ name: ObjectName, _ withMessages: Bool) throws(InterprocessError) -> Bool {
        let operation = "collect", label = name.description
        let directory = try open(for: operation, label)
        guard let file = try? directory.open(label) else { return false }
        // Whoever opens it now waits until the lock is gone with `file`, and then finds that the name is another's or nobody's.
        guard (try? FileLock.tryLock(file.descriptor, .exclusive)) == true, let status = try? FileStatus(of: file.descriptor) else {
            return false
        }
        guard let header = try? SegmentHeader(reading: file.descriptor, fileSize: status.size, operation, label) else { return false }
        guard try SegmentMapping(readOnly: file.descriptor, header, operation, label).isGarbageIfAlone(withMessages: withMessages) else {
            return false
        }
        try SegmentFile.unlink(SegmentPlace(name: name, directory: self), in: directory, ifStill: status)
        return true
    }
}
