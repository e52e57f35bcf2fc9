import CTestSystem
import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Who may open, and how much room there is")
struct SegmentAccessTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func permissions(of name: String) throws -> FilePermissions? {
        try Directory(opening: directory.path).status(of: name)?.permissions
    }

    @Test(
        "N5 the mode is 0600 unless another is asked for, whatever the umask",
        arguments: [("0", "0600", 0o600), ("77", "0660", 0o660), ("777", "0606", 0o606)])
    func mode(_ umask: String, _ asked: String, _ expected: CModeT) async throws {
        let peer = try PeerProcess("create-with-umask", [directory.path.string, "a", umask, asked])
        try await peer.expect("created")
        #expect(try permissions(of: "a") == FilePermissions(rawValue: expected))
    }

    @Test("N5 no segment is executable, or closed to its owner", arguments: [0o700, 0o610, 0o601, 0o400, 0o000] as [CModeT])
    func impossibleModes(_ mode: CModeT) throws {
        let error = refusal { _ = try Segment.create("a", size: 1, in: directory.objects, permissions: FilePermissions(rawValue: mode)) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.description.contains("never executable") == true)
        #expect(try directory.names() == [])
    }

    @Test(
        "N5 a mode that lets others in or makes it executable is refused at opening",
        arguments: [0o602, 0o666, 0o700, 0o610, 0o601] as [CModeT])
    func modes(_ mode: CModeT) throws {
        let segment = try Segment.create("a", size: 1, in: directory.objects)
        unsafe #expect(chmod(directory.path(of: "a").string, mode) == 0)
        let error = refusal { _ = try Segment.open("a", in: directory.objects) }
        #expect(error?.code == .wrongMode)
        #expect(error?.description.contains("(mode 0\(String(mode, radix: 8)))") == true)
        #expect(
            error?.description.contains("remove it, or run chmod o-w") == true || error?.description.contains("remove it or choose") == true
        )
        _ = segment
    }

    @Test("N5 what the user's own directory would refuse to open is not made there", arguments: [0o602, 0o606, 0o666] as [CModeT])
    func usersOwn(_ mode: CModeT) throws {
        let permissions = FilePermissions(rawValue: mode)
        let name = ObjectName.unique()
        for make in [
            { _ = try Segment.create(name, size: 1, permissions: permissions) },
            { _ = try Segment.openOrCreate(name, size: 1, permissions: permissions) },
            { _ = try Sender<UInt64>(to: name, options: QueueOptions(permissions: permissions)) },
        ] {
            let error = refusal(make)
            #expect(error?.code == .invalidArgument)
            #expect(error?.description.contains("leave that permission out, or use a directory that is meant for all") == true)
        }
        // Elsewhere it may be meant for others, who say so.
        let segment = try Segment.create("a", size: 1, in: directory.objects, permissions: permissions)
        #expect(code { _ = try Segment.open("a", in: directory.objects) } == .wrongMode)
        let open = try Segment.open("a", in: ObjectDirectory(at: directory.path, owners: .anyone))
        #expect(open.header == segment.header)
    }

    @Test("N5 a foreign owner is refused, unless the directory is for all", .enabled(if: Privilege.isRoot, "only root can give files away"))
    func owner() throws {
        _ = try Segment.create("a", size: 1, in: directory.objects, lifetime: .untilRemoved)
        try Privilege.changeOwner(of: directory.path(of: "a"), to: 1)
        let error = refusal { _ = try Segment.open("a", in: directory.objects) }
        #expect(error?.code == .wrongOwner)
        #expect(error?.description.contains("uid 1") == true && error?.description.contains("choose another name") == true)
        #expect(code { _ = try Segment.openOrCreate("a", size: 1, in: directory.objects) } == .wrongOwner)
        #expect(code { _ = try Segment.create("a", size: 1, in: directory.objects) } == .nameTaken)
        #expect(try Segment.open("a", in: ObjectDirectory(at: directory.path, owners: .anyone)).header.capacity == 1)
    }

    @Test("N5 another user is kept out by the mode, and is told so", .enabled(if: Privilege.isRoot, "only root can become another user"))
    func otherUser() async throws {
        unsafe #expect(chmod(directory.path.string, 0o755) == 0)
        let segment = try Segment.create("a", size: 1, in: directory.objects)
        try await PeerProcess("open-as", ["1", directory.path.string, "a"]).expect("system EACCES")
        // Even if the mode lets it in: it is not its own.
        let open = try Segment.create("b", size: 1, in: directory.objects, permissions: FilePermissions(rawValue: 0o606))
        try await PeerProcess("open-as", ["1", directory.path.string, "b"]).expect("wrongOwner")
        _ = (segment, open)
    }

    @Test(
        "N5 the user's own directory is made with mode 0700, and refused if it is not the user's own",
        .enabled(if: Privilege.canUnshare(["--mount"]), "needs a mount namespace"),
        arguments: [
            ("true", "0700"), ("mkdir -m 700 $D", "0700"), ("mkdir -m 777 $D", "wrongMode"), ("mkdir -m 720 $D", "wrongMode"),
            ("mkdir $D && chown 1 $D", "wrongOwner"), ("mkdir /dev/shm/x && ln -s x $D", "notFound"), ("touch $D", "notFound"),
        ])
    func userDirectory(_ prepare: String, _ expected: String) async throws {
        let user = "/dev/shm/interprocess-\(currentUserID())"
        let script = "mount -t tmpfs none /dev/shm && umask 0 && D=\(user) && \(prepare) && exec \"$@\""
        let peer = try PeerProcess(
            "default-directory", wrapper: ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, "sh"],
            environment: ["INTERPROCESS_DIRECTORY": ""])
        try await peer.expect(expected)
    }

    @Test("N5 an INTERPROCESS_DIRECTORY that everybody may write to is refused")
    func openToAll() async throws {
        unsafe #expect(chmod(directory.path.string, 0o1777) == 0)
        try await PeerProcess("default-directory", environment: ["INTERPROCESS_DIRECTORY": directory.path.string]).expect("wrongMode")
    }

    @Test("N5 INTERPROCESS_DIRECTORY chooses the directory")
    func environment() async throws {
        let peer = try PeerProcess("default-directory", environment: ["INTERPROCESS_DIRECTORY": directory.path.string])
        try await peer.expect("0700")
        try await peer.expect("done")
        #expect(try directory.names() == [])
    }

    @Test(
        "N5 a full file system is an error at create, and never a bus error later",
        .enabled(if: Privilege.canMount, "needs to mount a small tmpfs"))
    func full() throws {
        let small = try SmallFileSystem(size: "1m")
        let objects = small.directory.objects
        let directory = try Directory(opening: small.directory.path)
        let free = try FileSystemStatus(of: directory.descriptor).free
        let error = refusal { _ = try Segment.create("a", size: 4 << 20, in: objects) }
        #expect(error?.code == .noSpace && error?.errno == .noSpace)
        #expect(error?.description.contains("it needs 4 MiB and \(small.directory.path) has") == true)
        #expect(error?.description.contains("free of 1 MiB; ask for less") == true)
        #expect(try directory.names() == [])
        #expect(try FileSystemStatus(of: directory.descriptor).free == free, "what was reserved is given back")
        // Up to the last page: every byte that was promised is there.
        var segments: [Segment] = []
        for index in 0... {
            do {
                segments.append(try Segment.create(ObjectName("s\(index)"), size: 20_000, in: objects, maximumPeers: 1))
            } catch {
                #expect(error.code == .noSpace)
                break
            }
        }
        #expect(segments.count > 20)
        for segment in segments {
            unsafe segment.withBytes { bytes in
                for index in bytes.indices { unsafe bytes[index] = 0xff }
            }
        }
        #expect(code { _ = try Sender<UInt64>(to: "queue", options: QueueOptions(directory: objects)) } == .noSpace)
        #expect(try directory.names().count == segments.count)
    }
}
