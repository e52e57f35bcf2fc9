import Glibc
import Interprocess
import InterprocessSystem
import SystemPackage

/// Commands about users, modes and directories.
let accessCommands: [String: Command] = [
    "create-with-umask": createWithUmask,
    "open-as": openAsUser,
    "default-directory": { _ in useDefaultDirectory() },
]

/// create-with-umask DIRECTORY NAME UMASK MODE
@Sendable private func createWithUmask(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    guard let mask = mode_t(arguments[2], radix: 8), let mode = mode_t(arguments[3], radix: 8) else { throw BadArguments() }
    umask(mask)
    let segment: Segment
    if mode == 0o600 {
        segment = try Segment.create(name, size: 1, in: directory)
    } else {
        segment = try Segment.create(name, size: 1, in: directory, permissions: FilePermissions(rawValue: mode))
    }
    say("created")
    try forEachLine { _ in }
    _ = segment
}

/// open-as USER DIRECTORY NAME
@Sendable private func openAsUser(_ arguments: [String]) throws {
    let user = uid_t(try arguments.number(0))
    let (directory, name) = try Array(arguments.dropFirst()).place()
    guard setgroups(0, nil) == 0, setregid(user, user) == 0, setreuid(user, user) == 0 else { throw BadArguments() }
    sayOutcome { _ = try Segment.open(name, in: directory) }
}

private func useDefaultDirectory() {
    sayOutcome {
        let segment = try Segment.create("a", size: 1)
        let mode = try Directory(opening: ObjectDirectory.user.path).status().permissions.rawValue
        say("0\(String(mode, radix: 8))")
        _ = segment
    }
}

private func sayOutcome(_ body: () throws -> Void) {
    do {
        try body()
        say("done")
    } catch let error as InterprocessError {
        say("\(error.code)\(error.errno == .permissionDenied ? " EACCES" : "")")
    } catch {
        say("error \(error)")
    }
}
