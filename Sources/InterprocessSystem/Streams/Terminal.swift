import CInterprocess
import Glibc
public import SystemPackage

/// A terminal: what a program has that talks with a person, or with a ``Pseudoterminal`` that plays one.
///
///     let terminal = Terminal(owning: .standardInput)
///     let before = try terminal.makeRaw()
///     defer { try? terminal.setMode(before) }
///
/// **Boundaries** A terminal that collects lines, as a new one does, hands out one line with each reading; of a line that is longer than ``longestLine``, the rest is lost. Else bytes have none.
///
/// **Death** Of the other side: reading is the end, writing ``FacilityError/isOtherSideGone``, and processes whose controlling terminal it is get `SIGHUP`.
public struct Terminal: TerminalSide, ~Copyable {
    private let owned: OwnedDescriptor

    /// Takes over a terminal that somebody else has opened; nobody else may close it.
    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    /// Opens a terminal by its path; it does not become this process's controlling one.
    ///
    /// The corresponding C functions are `open(O_RDWR|O_NOCTTY)` and `tcgetattr`.
    ///
    /// - Throws: `ENOENT`, `EACCES`, `ENXIO`, `EIO` if its pseudoterminal has ended, `ENOTTY` if that is no terminal.
    public static func open(at path: FilePath) throws(FacilityError) -> Terminal {
        let number = try Facility.terminal.call("open", on: path.string) {
            unsafe path.withPlatformString { unsafe ipc_openat(AT_FDCWD, $0, O_RDWR | O_NOCTTY | O_CLOEXEC, 0) }
        }
        let terminal = Terminal(owning: FileDescriptor(rawValue: CInt(number)))
        _ = try terminal.mode()
        return terminal
    }

    public var facility: Facility { .terminal }
    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// The most bytes of a line before its end.
    public static var longestLine: Int { 4095 }

    /// Reads a line, or in raw mode what there is; waits while there is nothing. The corresponding C function is `read`.
    public func read(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int {
        try readBlocking(descriptor, into: &buffer, of: facility)
    }
}

/// One of the two sides of a terminal: that of the program, or that of who plays the person. Mode and size are the terminal's, for both.
///
/// **Blocking** The kernel cannot read or write terminals without waiting, so the `try…` forms ask by `poll` first: somebody else who reads or writes the same side at the same moment
/// makes this one wait.
public protocol TerminalSide: ByteReading, ByteWriting, ~Copyable {}

extension TerminalSide where Self: ~Copyable {
    /// The corresponding C functions are `poll` and `read`.
    public func tryRead(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int? {
        try isReadyNow(descriptor, .reading, facility) ? try read(into: &buffer) : nil
    }

    /// The corresponding C function is `write`.
    public func write(_ bytes: Span<UInt8>) throws(FacilityError) {
        try unsafe writeAll(bytes) { (part) throws(FacilityError) in try unsafe writeOnce(part) }
    }

    /// The corresponding C functions are `poll` and `write`.
    public func tryWrite(_ bytes: Span<UInt8>) throws(FacilityError) -> Int? {
        guard try isReadyNow(descriptor, .writing, facility) else { return nil }
        // Where the kernel has room, it has it for 256 bytes that need no change on their way, and for one byte that may.
        return try unsafe bytes.extracting(first: 128).withUnsafeBytes { (part) throws(FacilityError) in
            let unchanged = unsafe part.prefix { ![9, 10, 13].contains($0) }.count
            return try unsafe writeOnce(UnsafeRawBufferPointer(rebasing: part.prefix(max(1, unchanged))))
        }
    }

    private func writeOnce(_ bytes: UnsafeRawBufferPointer) throws(FacilityError) -> Int {
        try facility.call("write") { unsafe resultOrErrno(Glibc.write(descriptor.rawValue, bytes.baseAddress, bytes.count)) }
    }

    /// How large the terminal's window is said to be. The corresponding C function is `ioctl(TIOCGWINSZ)`.
    public func size() throws(FacilityError) -> TerminalSize {
        var rows: UInt16 = 0, columns: UInt16 = 0
        try facility.call("ioctl(TIOCGWINSZ)") { unsafe ipc_terminal_get_size(descriptor.rawValue, &rows, &columns) }
        return TerminalSize(rows: Int(rows), columns: Int(columns))
    }

    /// Says how large the window is; the programs in front on the terminal get `SIGWINCH` if it has changed. The corresponding C function is `ioctl(TIOCSWINSZ)`.
    public func setSize(_ size: TerminalSize) throws(FacilityError) {
        let rows = UInt16(clamping: size.rows), columns = UInt16(clamping: size.columns)
        try facility.call("ioctl(TIOCSWINSZ)") { ipc_terminal_set_size(descriptor.rawValue, rows, columns) }
    }

    /// What the terminal does with what is typed. The corresponding C function is `tcgetattr`.
    public func mode() throws(FacilityError) -> TerminalMode {
        var value = termios()
        try facility.call("tcgetattr") { unsafe resultOrErrno(tcgetattr(descriptor.rawValue, &value)) }
        return TerminalMode(value: value)
    }

    /// Sets that, at once. From a process that is not in front on its own terminal, it is stopped by `SIGTTOU`.
    ///
    /// The corresponding C function is `tcsetattr`.
    public func setMode(_ mode: TerminalMode) throws(FacilityError) {
        var value = mode.value
        try facility.call("tcsetattr") { unsafe resultOrErrno(tcsetattr(descriptor.rawValue, TCSANOW, &value)) }
    }

    /// From now on every byte passes at once and unchanged, in both directions. Returns the mode that it had, for ``setMode(_:)``.
    ///
    /// The corresponding C functions are `cfmakeraw` and `tcsetattr`.
    @discardableResult
    public func makeRaw() throws(FacilityError) -> TerminalMode {
        let before = try mode()
        try setMode(before.raw)
        return before
    }
}

/// The size of a terminal's window, in characters.
public struct TerminalSize: Sendable, Hashable {
    public var rows: Int
    public var columns: Int

    public init(rows: Int, columns: Int) { (self.rows, self.columns) = (rows, columns) }
}

/// What a terminal does with what is typed, before the program reads it.
public struct TerminalMode: Sendable {
    var value: termios

    /// Whether what is typed comes back to who types it.
    public var echoes: Bool {
        get { has(ECHO) }
        set { set(ECHO, newValue) }
    }

    /// Whether of what is printed, the end of a line is made fit for a screen: `\n` is `\r\n` to who reads it.
    public var returnsLines: Bool {
        get { value.c_oflag & tcflag_t(OPOST | ONLCR) == tcflag_t(OPOST | ONLCR) }
        set { value.c_oflag = newValue ? value.c_oflag | tcflag_t(OPOST | ONLCR) : value.c_oflag & ~tcflag_t(ONLCR) }
    }

    /// Whether the program gets whole lines, which can be corrected until they end.
    public var collectsLines: Bool {
        get { has(ICANON) }
        set { set(ICANON, newValue) }
    }

    /// Whether ^C, ^\ and ^Z are signals to the programs in front.
    public var makesSignals: Bool {
        get { has(ISIG) }
        set { set(ISIG, newValue) }
    }

    /// The same with nothing done to any byte. The corresponding C function is `cfmakeraw`.
    public var raw: TerminalMode {
        var value = value
        unsafe cfmakeraw(&value)
        return TerminalMode(value: value)
    }

    private func has(_ flag: CInt) -> Bool { value.c_lflag & tcflag_t(flag) != 0 }

    private mutating func set(_ flag: CInt, _ isOn: Bool) {
        value.c_lflag = isOn ? value.c_lflag | tcflag_t(flag) : value.c_lflag & ~tcflag_t(flag)
    }
}

extension Facility {
    public static let terminal = Facility("terminal", advice: terminalAdvice)
}

@Sendable
func terminalAdvice(_ operation: SystemCallName, _ error: Errno) -> String? {
    switch (operation, error) {
    case ("read", .ioError): "this process is not in front on its terminal, or the terminal is gone; read in front, or open another"
    case (_, .ioError): "the other side of the terminal is gone; open another"
    case (_, .inappropriateIOCTLForDevice): "that is not a terminal; look at the descriptor or the path"
    case (_, .noSuchAddressOrDevice): "the terminal has no device any more; open another"
    default: nil
    }
}
