import Glibc
import InterprocessSystem
import SystemPackage

/// A process that takes file locks as it is told.
let fileLockCommands: [String: Command] = ["file-locks": fileLocks]

/// file-locks DIRECTORY FILE: opens the file and obeys, a line each: VERB KIND MODE LOWER UPPER [NUMBER], and answers each by a line.
@Sendable private func fileLocks(_ arguments: [String]) throws {
    let path = FilePath(arguments[0]).appending(arguments[1])
    var file = try FileDescriptor.open(path, .readWrite, options: .closeOnExec)
    sayEverySignal()
    say("ready")
    try forEachLine { line in
        let words = line.split(separator: " ").map(String.init)
        let lock = try fileLock(words, file)
        let mode: FileLock.Mode = words[2] == "shared" ? .shared : .exclusive
        do throws(FileLockError) {
            switch words[0] {
            case "try": say("\(try lock.tryLock(mode))")
            case "lock":
                try lock.lock(mode)
                say("locked")
            case "until":
                try lock.lock(mode, until: .after(.milliseconds(Int(words[5]) ?? 0)))
                say("locked")
            case "unlock":
                try lock.unlock()
                say("unlocked")
            case "blocker": say(try lock.blocker(of: mode)?.description ?? "none")
            default: say(obey(words, lock, mode, path, &file))
            }
        } catch {
            say("\(error)")
        }
    }
}

private func fileLock(_ words: [String], _ file: FileDescriptor) throws -> FileLock {
    guard words.count >= 5, let lower = Int64(words[3]), let upper = Int64(words[4]) else { throw BadArguments() }
    return switch words[1] {
    case "wholeFile": .wholeFile(file)
    case "record": .record(file, lower..<upper)
    default: .openFileDescription(file, lower..<upper)
    }
}

/// What is more than one call.
private func obey(_ words: [String], _ lock: FileLock, _ mode: FileLock.Mode, _ path: FilePath, _ file: inout FileDescriptor) -> String {
    do {
        switch words[0] {
        case "close-another":
            try FileDescriptor.open(path, .readOnly).close()
        case "dup-and-close":
            let copy = try file.duplicate()
            try file.close()
            file = copy
        case "fork-try": try forkAndWait { say("child \(try lock.tryLock(mode))") }
        case "fork-unlock": try forkAndWait { try lock.unlock() }
        case "fork-held":
            // The value's life ends in the child; here the lock stays.
            var held: HeldFileLock? = try lock.hold(mode)
            try forkAndWait { held = nil }
            held.take()?.leaveLocked()
        case "count": try count(lock, file, times: Int(words[5]) ?? 0)
        default: throw BadArguments()
        }
        return "done"
    } catch {
        return "error \(error)"
    }
}

/// Adds 1 to the number in the file, so many times, each under the lock.
private func count(_ lock: FileLock, _ file: FileDescriptor, times: Int) throws {
    for _ in 0..<times {
        try lock.withLock(.exclusive) {
            var number: UInt64 = 0
            _ = unsafe try withUnsafeMutableBytes(of: &number) { unsafe try file.read(fromAbsoluteOffset: 0, into: $0) }
            number += 1
            _ = unsafe try withUnsafeBytes(of: number) { unsafe try file.write(toAbsoluteOffset: 0, $0) }
        }
    }
}

/// A handler that interrupts calls says that a signal came.
private func sayEverySignal() {
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in
        let line: StaticString = "signal\n"
        unsafe _ = write(1, line.utf8Start, line.utf8CodeUnitCount)
    }
    unsafe sigaction(SIGUSR1, &action, nil)
}
