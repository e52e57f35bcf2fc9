import InterprocessSystem
import SystemPackage

/// Looking at objects without taking part: their files are opened for reading only, no lock is taken, no peer is added.
extension ObjectDirectory {
    /// Everything in the directory but files whose names begin with a dot, sorted by name. What is foreign or cannot be read is listed as
    /// such.
    ///
    /// - Throws: ``InterprocessError`` if the directory cannot be read.
    public func objects() throws(InterprocessError) -> [ObjectStatus] {
        let directory = try open(for: "list", path.string)
        let names: [FilePath.Component]
        do throws(Errno) {
            names = try directory.entries()
        } catch {
            throw .system(error, "list", path.string, "reading the directory")
        }
        var objects: [ObjectStatus] = []
        for name in names where name.bytes.first != UInt8(ascii: ".") {
            if let object = try status(of: name, in: directory, "look at") { objects.append(object) }
        }
        return objects
    }

    /// What stands under `name`.
    ///
    /// - Throws: ``InterprocessError`` `notFound` if nothing does, or if the directory cannot be read.
    public func status(of name: ObjectName) throws(InterprocessError) -> ObjectStatus {
        let directory = try open(for: "look at", name.description)
        guard let status = try status(of: name.fileName, in: directory, "look at") else { throw notFound("look at", name.description) }
        return status
    }

    func notFound(_ operation: String, _ name: String) -> InterprocessError {
        InterprocessError(
            .notFound, operation, name, errno: .noSuchFileOrDirectory, "there is no such object in \(path); 'ipc list' shows what there is")
    }

    /// What stands under `name`; nil if nothing does, or not any more.
    func status(
        of fileName: FilePath.Component, in directory: borrowing Directory, _ operation: String
    ) throws(InterprocessError) -> ObjectStatus? {
        let name = fileName.printable
        var status: FileStatus
        do throws(Errno) {
            guard let found = try directory.status(of: fileName) else { return nil }
            status = found
        } catch {
            throw .system(error, operation, name, "asking for its file's status")
        }
        func foreign(_ code: InterprocessError.Code, _ reason: String) -> ObjectStatus {
            ObjectStatus(
                fileName: fileName, size: status.size, owner: status.owner, permissions: status.permissions, isOpen: false,
                content: .unreadable(InterprocessError(code, operation, name, reason)), refusal: nil)
        }
        switch status.kind {
        case .regular: break
        case .symbolicLink: return foreign(.notASegment, "it is a symbolic link, and links are never followed")
        case .directory: return foreign(.invalidArgument, "it is a directory and no object; choose another name")
        case .other: return foreign(.notASegment, "it is no object but a pipe, socket, device or link; choose another name")
        }
        if owners == .user && status.owner != currentUserID() {
            return foreign(.wrongOwner, "it belongs to another user (\(describeUser(status.owner))) and is not trusted")
        }
        do throws(Errno) {
            let file = try directory.open(fileName, readOnly: true)
            // What was opened, which may not be what stood there a moment ago.
            status = try FileStatus(of: file.descriptor)
            let isOpen = try FileLock.isHeldByAnother(file.descriptor, against: .exclusive)
            return ObjectStatus(
                fileName: fileName, size: status.size, owner: status.owner, permissions: status.permissions, isOpen: isOpen,
                content: content(of: file.descriptor, status.size, isOpen, operation, name),
                refusal: SegmentFile.refusal(of: status, in: self, operation, name))
        } catch {
            return error == .noSuchFileOrDirectory ? nil : foreign(.system, "opening its file: \(error)")
        }
    }

    private func content(
        of file: FileDescriptor, _ size: Int, _ isOpen: Bool, _ operation: String, _ name: String
    ) -> ObjectStatus.Content {
        do throws(InterprocessError) {
            let header = try SegmentHeader(reading: file, fileSize: size, operation, name)
            try header.checkName(isAt: name, operation)
            let mapping = try SegmentMapping(readOnly: file, header, operation, name)
            return .object(ObjectDetails(mapping, isOpen: isOpen, name))
        } catch {
            return .unreadable(error)
        }
    }
}

extension ObjectDetails {
    /// - Parameter isOpen: whether anybody has the object open; if not, no peer that the table shows is alive.
    init(_ mapping: SegmentMapping, isOpen: Bool, _ name: String) {
        header = mapping.header
        let isWhole = header.kind == .queue && mapping.hasQueueBlock
        let recovery: ObjectRecovery =
            switch header.kind {
            case .queue where isWhole: .queue
            case .sharedQueue: .sharedQueue
            case .fanIn: .fanIn
            case .topic: .topic
            case .service: .service
            default: .none
            }
        queue =
            switch header.kind {
            case .queue where isWhole: Result { () throws(InterprocessError) in try QueueInspection.statistics(mapping, name) }
            case .fanIn: Result { () throws(InterprocessError) in try FanInSegment.statistics(mapping, name) }
            default: nil
            }
        let found = ObjectFigures.read(mapping, queue, name)
        let parts = (try? found.get().parts) ?? [:]
        figures = found.map(\.figures)
        peers = PeerTable(mapping: mapping).all().map { peer in
            ObjectPeer(
                information: peer, holds: recovery.claims(mapping, peer.id), isAlive: peer.isAlive && isOpen, parts: parts[peer.id] ?? [])
        }
        isGarbage = !isOpen && mapping.isGarbageIfAlone(withMessages: false)
        isGarbageWithMessages = !isOpen && mapping.isGarbageIfAlone(withMessages: true)
    }
}

extension SegmentMapping {
    /// Whether the segment is large enough for the control block of a queue.
    fileprivate var hasQueueBlock: Bool { header.dataOffset - header.objectOffset >= SegmentPlan.page }

    /// Whether nothing is lost with the segment, or nothing but messages if `withMessages`, provided that nobody has it open.
    func isGarbageIfAlone(withMessages: Bool) -> Bool {
        guard header.lifetime == .untilLastPeerLeaves else { return false }
        switch header.kind {
        case .plain, .handoff, .mutex, .semaphore, .permits, .condition, .readWriteLock, .barrier, .latch, .event, .once,
            .latestValue, .topic, .service, .notifier, .variable:
            return true
        case .queue: return withMessages || hasQueueBlock && !QueueSegment.isWorthKeeping(self)
        case .fanIn:
            guard (try? FanInWords(checking: self)) != nil else { return false }
            return withMessages || !FanInSegment.isWorthKeeping(self)
        case .sharedQueue:
            // Damaged: whoever opens it is told.
            guard let words = try? SharedQueueWords(checking: self) else { return false }
            return withMessages || !SharedQueueRepair(words).isWorthKeeping
        default: return false
        }
    }
}
