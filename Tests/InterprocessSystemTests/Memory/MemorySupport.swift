import InterprocessSystem
import SystemPackage
import TestSupport

enum MemoryPython {
    /// The file of the first argument mapped: puts and gets bytes of it, and reads the file itself.
    static let file = """
        import mmap, os, sys
        file = os.open(sys.argv[1], os.O_RDWR)
        memory = mmap.mmap(file, 0)
        print(len(memory), flush=True)
        for line in sys.stdin:
            word = line.split()
            start = int(word[1])
            if word[0] == 'put':
                memory[start:start + len(word[2])] = word[2].encode()
                print('put', flush=True)
            elif word[0] == 'get': print(memory[start:start + int(word[2])].decode(), flush=True)
            else: print(os.pread(file, int(word[2]), start).decode(), flush=True)
        """
}

func store<M: MutableMappedMemory & ~Copyable>(_ text: String, in memory: borrowing M, at offset: Int) {
    let text = Array(text.utf8)
    unsafe memory.withUnsafeMutableBytes { unsafe $0[offset..<offset + text.count].copyBytes(from: text) }
}

func bytes<M: MappedMemory & ~Copyable>(of memory: borrowing M, _ range: Range<Int>) -> String {
    unsafe memory.withUnsafeBytes { unsafe String(decoding: $0[range], as: UTF8.self) }
}

/// How many of this process's mappings are such.
func mappings(_ isSuch: (Substring) -> Bool) throws -> Int { try lines(of: "/proc/self/maps").count { isSuch($0) } }

func lines(of path: FilePath) throws -> [Substring] {
    let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
    defer { try? file.close() }
    var found: [UInt8] = [], part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = unsafe try part.withUnsafeMutableBytes { unsafe try file.read(into: $0) }
        if count == 0 { return String(decoding: found, as: UTF8.self).split(separator: "\n") }
        found += part[..<count]
    }
}

/// A name that nobody else has, as far as chance goes.
func randomName() -> String { "/ipc-test-\(String(randomUInt64(), radix: 36))" }
