import CInterprocess
import Glibc
public import SystemPackage

/// A terminal for a program, on which this process plays the person: what is written here is typed there, and what the program prints is read here.
///
///     let terminal = try Pseudoterminal.create(size: TerminalSize(rows: 24, columns: 80))
///     var shell = try ChildProcess(starting: "/bin/sh", arguments: [], terminal: try terminal.path())
///     try await terminal.write(Array("ls\n".utf8).span)
///
/// **Boundaries** Bytes have none; what the program gets, see ``Terminal``.
///
/// **Blocking** Reading waits while nothing was printed, also before the program has opened the terminal. Writing waits while the program does not read, but
/// never for a line that is too long: its rest is lost. What is written while nobody has the terminal open is for who opens it next.
///
/// **Death** Of the last process that has the terminal open: the end, after all that it has printed, until another one opens it; writing is no error. Of this side: the session's processes get `SIGHUP`, for the others see ``Terminal``.
public struct Pseudoterminal: TerminalSide, ~Copyable {
    private let owned: OwnedDescriptor

    /// Takes over a pseudoterminal that somebody else has made; nobody else may close it.
    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    /// Makes a pseudoterminal, which echoes and collects lines.
    ///
    /// The corresponding C functions are `posix_openpt`, `unlockpt`, and for the size `ioctl(TIOCSWINSZ)`.
    ///
    /// - Parameter size: nil is none, which programs take for 24 rows and 80 columns.
    /// - Throws: `ENOSPC` beyond ``most()``, `EMFILE`, `ENFILE`, `ENOENT` and `EACCES` where `/dev/pts` is not mounted.
    public static func create(size: TerminalSize? = nil) throws(FacilityError) -> Pseudoterminal {
        let number = try Facility.pseudoterminal.call("posix_openpt") {
            ipc_terminal_create(O_RDWR | O_NOCTTY | O_CLOEXEC)
        }
        let terminal = Pseudoterminal(owning: FileDescriptor(rawValue: CInt(number)))
        try terminal.facility.call("unlockpt") { ipc_terminal_unlock(terminal.descriptor.rawValue) }
        if let size { try terminal.setSize(size) }
        return terminal
    }

    public var facility: Facility { .pseudoterminal }
    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// How many pseudoterminals there can be, as the running kernel says it in `/proc/sys/kernel/pty/max`; nil without `/proc`.
    public static func most() -> Int? { kernelLimit("kernel/pty/max") }

    /// Where other programs open the terminal. The corresponding C function is `ptsname`.
    public func path() throws(FacilityError) -> FilePath {
        var number: CInt = 0
        try facility.call("ptsname") { unsafe ipc_terminal_number(descriptor.rawValue, &number) }
        return FilePath("/dev/pts/\(number)")
    }

    /// The terminal, opened in this process, also where its path is not to be seen. It does not become this process's controlling one.
    ///
    /// The corresponding C function is `ioctl(TIOCGPTPEER)`.
    public func openTerminal() throws(FacilityError) -> Terminal {
        let number = try facility.call("ioctl(TIOCGPTPEER)") {
            ipc_terminal_open_peer(descriptor.rawValue, O_RDWR | O_NOCTTY | O_CLOEXEC)
        }
        return Terminal(owning: FileDescriptor(rawValue: CInt(number)))
    }

    /// Reads what was printed; waits while there is nothing. The corresponding C function is `read`; its `EIO` is the end.
    public func read(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int {
        do throws(FacilityError) {
            return try readBlocking(descriptor, into: &buffer, of: facility)
        } catch let error where error.errno == .ioError {
            return 0
        }
    }
}

extension Facility {
    public static let pseudoterminal = Facility("pseudoterminal") { operation, error in
        switch (operation, error) {
        case ("posix_openpt", .noSpace): "there are as many pseudoterminals as kernel.pty.max allows; close some, or raise it"
        case ("posix_openpt", _) where [.noSuchFileOrDirectory, .permissionDenied, .operationNotSupportedByDevice].contains(error):
            "this process sees no /dev/ptmx; mount devpts at /dev/pts"
        default: terminalAdvice(operation, error)
        }
    }
}
