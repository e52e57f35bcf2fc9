/* topic: chunks, log, readers' bits, gate, joining, deaths and repair of topics (decision 0009).
 *
 * CHUNKS chunks and a log of N entries.  A chunk's word (publisher, state, generation) and an entry (lap, chunk, generation; or empty) are changed by compare-exchange of the whole; the tail is a plain store of anybody's
 * and may go backwards.  Publishers 0 and 1, subscribers 2 and 3, lossy or lossless.  A publisher takes its spare chunk or claims a free one and looks at its readers, writes, looks at the gate, says in its intent which chunk
 * it will replace, replaces it, retires it (as its spare, if nobody reads it), clears the intent.  At its end it gives the spare back.
 * A lossy subscriber sets its bit in the chunk, looks at the entry again, reads, takes the bit back.  A lossless one joins at some time (provisional cursor, claim, count of joins, true tail, cursor), reads in place, stores
 * its cursor, and may leave after READS messages.
 * SIGKILL before any statement of whoever is KILLABLE.  The repairer recovers it, in steps, and may itself be killed before any (RKILLS): another begins anew.  That the life word is marked and the thread stops is one step,
 * since only who repairs looks at the mark, and waits for the stop (two steps with NOBARRIER).
 *
 * Abstract here: waiting (topic_wait): whoever finds nothing waits until something has been published, given back, read or repaired since it began to look, but who takes a bit back tells it only if it sees the chunk
 * free; a load that is followed at once by a compare-exchange from what was loaded is one step with it; writing is one step.  Memory is sequentially consistent.  A dead peer's name is never anybody's again (peers).
 *
 *   bounds        N, CHUNKS, M0 and M1 (messages of each publisher), K2 and K3 (subscribers: 0 none, 1 lossy, 2 lossless; K3=3: a third publisher with one message), READS (then a lossless one leaves; 0: stays), JOINS (of it in all), KILLS, KILLABLE (bit per party), RKILLS
 *   -DHISTORY     a lossless subscriber begins with the oldest that it can have, not with the tail
 *   -DCOPY        a lossy subscriber copies, and looks at the entry again, without a bit
 *   -DKEEP        a lossless subscriber keeps each message while it goes on: it sets its bit before it stores its cursor
 *   -DCLAIMFIRST  a lossless subscriber claims before it stores the provisional cursor                             -> must hold
 *   -DHALT        who is "killed" is stopped for ever instead, and nobody's death is told
 *   -DGENMOD=n    generations have n values only
 *   -DIDLE        a publisher's end is not the end of its process: it may be killed afterwards
 *
 * What must hold: messages are published without a gap; who reads reads the message of its ticket, whole, from the beginning to the end of its reading; a lossless subscriber is never overtaken.  When nothing moves
 * any more: all messages of living publishers are published; each chunk is free or in the log; bits and claims are of the living; a lossless subscriber has read all.  With HALT, without lossless subscribers: all that are
 * not stopped have published all, with CHUNKS = N + one for each publisher and each lossy subscriber.
 *
 * Seeded mistakes, each must be caught:
 *   -DNORECHECK      a reader does not look at the entry again
 *   -DNOREADERS      who claims a free chunk does not look at its readers again after the claim
 *   -DCOUNTED -DNOPRELOOK  it does not look at them before the claim: waiting for a chunk, it wakes itself by giving one back, and so on (with one publisher, each chunk given back is one that was pinned meanwhile)
 *   -DSPAREBLIND     the spare is taken without a look at its readers
 *   -DSPAREEARLY     they are looked at before the entry is replaced
 *   -DRETIREBLIND    a chunk is retired whatever its generation is
 *   -DPLAINPUT       an entry is replaced by a store
 *   -DUNPINLOOK      who takes its bit back looks whether the chunk is free before that
 *   -DFEWCHUNKS      one chunk less
 *   -DGATEOFF        the gate lets the ticket at a cursor be replaced
 *   -DPROVTAIL       the provisional cursor is the tail (with HISTORY)
 *   -DJOINSEARLY     joins are counted before the claim
 *   -DJOINSLATE      joins are counted after the tail was found
 *   -DNOFINDAGAIN    the tail that was found before the claim is the true one
 *   -DJOINSONCE      a publisher looks at the count of joins once for a message, not for each ticket
 *   -DJOINSAFTER     it remembers the count that it reads after it has looked at the records
 *   -DKEEPLATE       with KEEP: the bit is set after the cursor is stored
 *   -DNOINTENT       no intent
 *   -DTORNINTENT     the intent is two words
 *   -DINTENTBLIND    who repairs retires the intent's chunk whatever its generation is
 *   -DKEEPINTENT     with GENMOD and IDLE: the intent is not cleared after the retirement
 *   -DNOSCAN         a dead publisher's chunk is freed without a look at the log
 *   -DNOBARRIER      nobody waits for the dead to stop
 *   -DPLAINFREE      who repairs frees the chunk by a store
 *   -DNOBITS         who repairs leaves the readers' bits
 *   -DNOCLAIMS       who repairs leaves the subscriber's claim
 * PROVTAIL, JOINSEARLY, JOINSLATE, JOINSONCE, TORNINTENT, KEEPINTENT, UNPINLOOK and NOPRELOOK are what decision 0009 left open when this was written.
 */
#ifndef N
#define N 2
#endif
#ifndef M0
#define M0 3
#endif
#ifndef M1
#define M1 1
#endif
#ifndef K2
#define K2 1
#endif
#ifndef K3
#define K3 0
#endif
#ifndef READS
#define READS 0
#endif
#ifndef JOINS
#define JOINS 1
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 1
#endif
#ifndef RKILLS
#define RKILLS 0
#endif
#ifndef GENMOD
#define GENMOD 32
#endif
#if K2==1 && K3==1
#define LOSSY 2
#elif K2==1 || K3==1
#define LOSSY 1
#else
#define LOSSY 0
#endif
#if K3==3
#define PUBLISHERS 3
#elif M1>0
#define PUBLISHERS 2
#else
#define PUBLISHERS 1
#endif
#ifdef FEWCHUNKS
#define LESS 1
#else
#define LESS 0
#endif
#ifndef CHUNKS
#define CHUNKS N+PUBLISHERS+LOSSY-LESS
#endif
#define LOSSLESS (K2==2 || K3==2)
#if KILLS && !defined(HALT)
#define DEATHS
#endif

/* a chunk's word: publisher + 1, filling, generation */
#define WORD(p,g) (((g)<<4)|8|(p))
#define FREEWORD(g) ((g)<<4)
#define PEER(w) ((w)&7)
#define FILLING(w) ((w)&8)
#define GENERATION(w) ((w)>>4)
#define NEXT(g) (((g)+1)%GENMOD)
/* an entry: lap + 1 (0: empty), generation, chunk */
#define ENTRY(l,c,g) ((((l)+1)<<9)|((g)<<4)|(c))
#define LAP1(e) ((e)>>9)
#define CHUNK(e) ((e)&15)
#define GENOF(e) (((e)>>4)&31)
#define NAMES(e,c,g) ((e)!=0 && ((e)&511)==(((g)<<4)|(c)))
#define PUBLISHEDAT(e,t) (LAP1(e)>(t)/N)
#define AFTER(e,t) ((LAP1(e)-1)*N+(t)%N+1)

short chunk[CHUNKS], log[N];
byte readers[CHUNKS], content[CHUNKS], tail;
#ifdef TORNINTENT
byte inChunk[4], inGen[4];
#else
short intent[4];
#endif
#if LOSSLESS
bit  claim[4];
byte cursor[4], joins;
#endif
bit  stop[4], died[4];
byte kills;
#ifdef DEATHS
bit  freed[4];
#endif
byte moved;
#define PUBLISHED moved=moved|12
#if K3==3
#define FREED moved=moved|11
#define PUBLISHES(p) ((p)!=2)
#else
#define FREED moved=moved|3
#define PUBLISHES(p) ((p)<2)
#endif
#define MOVED (moved&(1<<me))
/* ghosts */
byte tickets, left[4];
#ifdef COUNTED
byte pins, backs;
#endif
bit  reads[4];

#define MAYDIE (kills<KILLS && (KILLABLE & (1<<me)) && MORTAL && !died[me])
#ifdef IDLE
#define MORTAL (PUBLISHES(me) || pc!=END)
#else
#define MORTAL (pc!=END)
#endif
#if KILLS==0
#define DYING(locals)
#elif defined(HALT)
#define DYING(locals) :: d_step { MAYDIE -> kills++; stop[me]=1; pc=END; locals }
#elif defined(NOBARRIER)
#define DYING(locals) :: d_step { MAYDIE -> kills++; died[me]=1 } :: d_step { died[me] && !stop[me] -> stop[me]=1; reads[me]=0; pc=END; locals }
#else
#define DYING(locals) :: d_step { MAYDIE -> kills++; died[me]=1; stop[me]=1; reads[me]=0; pc=END; locals }
#endif
#define AT(x) d_step { pc==x ->
mtype = { LOOK, TRY, CLAIMIT, READERS, GIVEBACK, WRITE, FIND, GATE, SCAN1, SCAN2, COUNT, SHUT, INTENT, INTENT2, PEEK, PUT, TAIL, RETIRE, SPARE, FREE1, CLEARED, LAST, WAIT,
  PIN, RECHECK, READ, READ2, UNPIN, TOLD, PROVISIONAL, CLAIM, JOIN, TRUE1, BEGIN, STORE, LEAVE, BARRIER, INTENT1, SCANLOG, CHUNK1, BITS, END };

#if LOSSLESS
#define GATED GATE
#define FORGETGATE minc=255; seenj=0; s=0; j=0
#else
#define GATED INTENT
#define FORGETGATE skip
#endif
#define NOSPARE 15
proctype Publisher(byte me) {
  byte c=NOSPARE, i, g, t; short e; bit seen; mtype pc=(left[me]==0 -> END : LOOK);
#if LOSSLESS
  byte minc=255, seenj, s, j;
#endif
end:
  do
  DYING(c=NOSPARE; i=0; g=0; t=0; e=0; seen=0; FORGETGATE)
  /* ---- a chunk ---- */
  :: d_step { pc==LOOK || (pc==WAIT && MOVED) -> moved=moved&~(1<<me);
       if :: c!=NOSPARE -> pc=WRITE :: else -> pc=TRY fi }
#ifdef NOPRELOOK
  :: d_step { pc==TRY && i<CHUNKS -> pc=CLAIMIT }
#else
  :: d_step { pc==TRY && i<CHUNKS -> if :: readers[i]==0 -> pc=CLAIMIT :: else -> i++ fi }
#endif
  :: AT(CLAIMIT) if :: FILLING(chunk[i]) -> i++; pc=TRY :: else -> g=NEXT(GENERATION(chunk[i])); chunk[i]=WORD(me+1,g); pc=READERS fi }
#if defined(NOREADERS)
  :: AT(READERS) c=i; i=0; pc=WRITE }
#else
  :: AT(READERS) if :: readers[i]==0 -> c=i; i=0; pc=WRITE :: else -> pc=GIVEBACK fi }
#endif
  :: AT(GIVEBACK) assert(died[me] || chunk[i]==WORD(me+1,g)); chunk[i]=FREEWORD(g); FREED; g=0; i++;
#ifdef COUNTED
       backs++; assert(backs<=pins);
#endif
       pc=TRY }
  :: d_step { pc==TRY && i==CHUNKS -> i=0; pc=WAIT }
  :: AT(WRITE) assert(died[me] || chunk[c]==WORD(me+1,g)); content[c]=100; t=tail;
#if LOSSLESS
#ifdef JOINSONCE
       j=joins;
#endif
#endif
       pc=FIND }
  /* ---- its ticket ---- */
  :: AT(FIND) e=log[t%N];
       if
       :: PUBLISHEDAT(e,t) -> t=AFTER(e,t); e=0
       :: else -> assert(LAP1(e)==t/N); pc=GATED
       fi }
#if LOSSLESS
  /* ---- the gate ---- */
#ifdef GATEOFF
#define OPEN (minc==255 || t<=minc+N)
#else
#define OPEN (minc==255 || t<minc+N)
#endif
  :: AT(GATE) moved=moved&~(1<<me);
#ifndef JOINSONCE
       j=joins;
#endif
       if :: j==seenj && OPEN -> j=0; pc=INTENT :: else -> minc=255; s=2; pc=SCAN1 fi }
  :: AT(SCAN1)
       if
       :: s==4 -> s=0; pc=COUNT
       :: s<4 -> if :: claim[s] -> pc=SCAN2 :: else -> s++ fi
       fi }
  :: AT(SCAN2) minc=(cursor[s]<minc -> cursor[s] : minc); s++; pc=SCAN1 }
  :: AT(COUNT)
#ifdef JOINSAFTER
       seenj=joins;
#else
       seenj=j;
#endif
       if :: OPEN -> j=0; pc=INTENT :: else -> e=0; j=0; pc=SHUT fi }
  :: d_step { pc==SHUT && MOVED -> moved=moved&~(1<<me); pc=FIND }
#endif
  /* ---- publish ---- */
#ifdef NOINTENT
  :: AT(INTENT) pc=PEEK }
#elif defined(TORNINTENT)
  :: AT(INTENT) inChunk[me]=CHUNK(e); pc=INTENT2 }
  :: AT(INTENT2) inGen[me]=GENOF(e); pc=PEEK }
#else
  :: AT(INTENT) intent[me]=e; pc=PEEK }
#endif
#ifdef SPAREEARLY
  :: AT(PEEK) seen=(e!=0 && readers[CHUNK(e)]!=0); pc=PUT }
#else
#define PEEK1 PUT
#endif
  :: d_step { (pc==PUT
#ifndef SPAREEARLY
       || pc==PEEK
#endif
       ) ->
       if
#ifdef PLAINPUT
       :: true ->
#else
       :: log[t%N]==e ->
#endif
          assert(t==tickets); log[t%N]=ENTRY(t/N,c,g); tickets++; content[c]=t+1; PUBLISHED; c=NOSPARE; g=0; pc=TAIL
#ifndef PLAINPUT
       :: else -> e=0; seen=0; pc=FIND
#endif
       fi }
  :: AT(TAIL) tail=t+1; t=0; left[me]--; pc=(e==0 -> CLEARED : RETIRE) }
  /* ---- retire what was replaced ---- */
#if defined(SPAREBLIND)
  :: AT(RETIRE) pc=SPARE }
#elif defined(SPAREEARLY)
  :: AT(RETIRE) pc=(seen -> FREE1 : SPARE); seen=0 }
#else
  :: AT(RETIRE) pc=(readers[CHUNK(e)]==0 -> SPARE : FREE1) }
#endif
#ifdef RETIREBLIND
#define REPLACED (FILLING(chunk[CHUNK(e)]))
#else
#define REPLACED (FILLING(chunk[CHUNK(e)]) && GENERATION(chunk[CHUNK(e)])==GENOF(e))
#endif
  :: AT(SPARE) if :: REPLACED -> c=CHUNK(e); g=NEXT(GENERATION(chunk[c])); chunk[c]=WORD(me+1,g) :: else fi; pc=CLEARED }
  :: AT(FREE1) if :: REPLACED -> chunk[CHUNK(e)]=FREEWORD(GENERATION(chunk[CHUNK(e)])); FREED :: else fi; pc=CLEARED }
  :: AT(CLEARED) e=0;
#if !defined(KEEPINTENT) && !defined(TORNINTENT)
       intent[me]=0;
#endif
       if :: left[me]!=0 -> pc=LOOK :: else -> if :: c!=NOSPARE -> pc=LAST :: else -> pc=END fi fi }
  :: AT(LAST) if :: chunk[c]==WORD(me+1,g) -> chunk[c]=FREEWORD(g); FREED :: else -> assert(died[me]) fi; c=NOSPARE; g=0;
#if LOSSLESS
       minc=255; seenj=0;
#endif
       pc=END }
  od
}

#define BIT (1<<(me-2))
#define THERE assert(content[CHUNK(e)]==cur+1)
proctype Lossy(byte me) {
  byte cur; short e; bit got, f; mtype pc=LOOK;
#ifdef COPY
  byte x, y;
#define COPIED ; x=0; y=0
#else
#define COPIED
#endif
end:
  do
  DYING(cur=0; e=0; got=0; f=0 COPIED)
  :: d_step { pc==LOOK || (pc==WAIT && MOVED) -> moved=moved&~(1<<me); e=log[cur%N];
       if
#ifdef COPY
       :: LAP1(e)==cur/N+1 -> pc=READ
#else
       :: LAP1(e)==cur/N+1 -> pc=PIN
#endif
       :: LAP1(e)<cur/N+1 -> e=0; pc=WAIT
       :: else -> cur=AFTER(e,cur)-N; e=0; pc=LOOK
       fi }
#ifdef COPY
  :: AT(READ) x=content[CHUNK(e)]; pc=READ2 }
  :: AT(READ2) y=content[CHUNK(e)]; pc=RECHECK }
  :: AT(RECHECK)
       if
#ifdef NORECHECK
       :: true ->
#else
       :: log[cur%N]==e ->
#endif
          assert(died[me] || x==cur+1 && y==cur+1); cur++
#ifndef NORECHECK
       :: else
#endif
       fi; x=0; y=0; e=0; pc=LOOK }
#else
  :: AT(PIN) readers[CHUNK(e)]=readers[CHUNK(e)]|BIT;
#ifdef COUNTED
       pins++;
#endif
       pc=RECHECK }
#ifdef NORECHECK
  :: AT(RECHECK) got=1; pc=READ }
#else
  :: AT(RECHECK) if :: log[cur%N]==e -> got=1; pc=READ :: else -> pc=UNPIN fi }
#endif
  :: AT(READ) if :: !died[me] -> THERE :: else fi; pc=READ2 }
  :: AT(READ2) if :: !died[me] -> THERE :: else fi; if :: got -> cur++; got=0 :: else fi; pc=UNPIN }
#ifdef UNPINLOOK
  :: AT(UNPIN) f=!FILLING(chunk[CHUNK(e)]); pc=TOLD }
  :: AT(TOLD) readers[CHUNK(e)]=readers[CHUNK(e)]&~BIT; if :: f -> FREED :: else fi; e=0; f=0; pc=LOOK }
#else
  :: AT(UNPIN) readers[CHUNK(e)]=readers[CHUNK(e)]&~BIT; pc=TOLD }
  :: AT(TOLD) if :: !FILLING(chunk[CHUNK(e)]) -> FREED :: else fi; e=0; pc=LOOK }
#endif
#endif
  od
}

#if LOSSLESS
proctype Lossless(byte me) {
  byte cur, t, n; short e; mtype pc=PROVISIONAL;
#ifdef HISTORY
#define FROM(t) ((t)<N -> 0 : (t)-N+1)
#else
#define FROM(t) (t)
#endif
end:
  do
  DYING(cur=0; t=0; n=0; e=0)
  /* ---- join ---- */
#ifdef CLAIMFIRST
  :: AT(PROVISIONAL) t=tail; claim[me]=1; pc=CLAIM }
  :: AT(CLAIM) cursor[me]=FROM(t); pc=JOIN }
#else
#ifdef PROVTAIL
  :: AT(PROVISIONAL) t=tail; cursor[me]=t; pc=CLAIM }
#else
  :: AT(PROVISIONAL) t=tail; cursor[me]=FROM(t); pc=CLAIM }
#endif
#ifdef JOINSEARLY
  :: AT(CLAIM) joins++; pc=JOIN }
  :: AT(JOIN) claim[me]=1; pc=TRUE1 }
#elif defined(JOINSLATE)
  :: AT(CLAIM) claim[me]=1; pc=TRUE1 }
  :: AT(JOIN) joins++; pc=BEGIN }
#else
  :: AT(CLAIM) claim[me]=1; pc=JOIN }
#endif
#endif
#if !defined(JOINSEARLY) && !defined(JOINSLATE)
  :: AT(JOIN) joins++; pc=TRUE1 }
#endif
#ifdef JOINSLATE
#define FOUNDIT JOIN
#else
#define FOUNDIT BEGIN
#endif
#ifdef NOFINDAGAIN
  :: AT(TRUE1) pc=FOUNDIT }
#else
  :: AT(TRUE1) e=log[t%N]; if :: PUBLISHEDAT(e,t) -> t=AFTER(e,t) :: else -> pc=FOUNDIT fi; e=0 }
#endif
  :: AT(BEGIN) cur=FROM(t); cursor[me]=cur; FREED; t=0; pc=LOOK }
  /* ---- read in place ---- */
  :: d_step { pc==LOOK || (pc==WAIT && MOVED) -> moved=moved&~(1<<me); e=log[cur%N]; assert(died[me] || LAP1(e)<=cur/N+1);
       if
       :: LAP1(e)==cur/N+1 -> pc=READ
       :: else -> e=0; pc=WAIT
       fi }
#ifdef KEEP
#ifdef KEEPLATE
  :: AT(READ) if :: !died[me] -> THERE :: else fi; pc=STORE }
  :: AT(STORE) cur++; cursor[me]=cur; FREED; pc=PIN }
  :: AT(PIN) readers[CHUNK(e)]=readers[CHUNK(e)]|BIT; pc=READ2 }
#else
  :: AT(READ) if :: !died[me] -> THERE :: else fi; pc=PIN }
  :: AT(PIN) readers[CHUNK(e)]=readers[CHUNK(e)]|BIT; pc=STORE }
  :: AT(STORE) cur++; cursor[me]=cur; FREED; pc=READ2 }
#endif
  :: AT(READ2) assert(died[me] || content[CHUNK(e)]==cur); pc=UNPIN }
  :: AT(UNPIN) readers[CHUNK(e)]=readers[CHUNK(e)]&~BIT; pc=TOLD }
  :: AT(TOLD) if :: !FILLING(chunk[CHUNK(e)]) -> FREED :: else fi; e=0; pc=LOOK }
#else
  :: AT(READ) if :: !died[me] -> THERE :: else fi; pc=READ2 }
  :: AT(READ2) if :: !died[me] -> THERE :: else fi; e=0; pc=STORE }
#if READS
  :: AT(STORE) cur++; cursor[me]=cur; FREED; n++; if :: n%READS==0 -> pc=LEAVE :: else -> pc=LOOK fi }
  :: AT(LEAVE) claim[me]=0; FREED; cur=0; if :: n<READS*JOINS -> pc=PROVISIONAL :: else -> n=0; pc=END fi }
#else
  :: AT(STORE) cur++; cursor[me]=cur; FREED; pc=LOOK }
#endif
#endif
  od
}
#endif

#ifdef DEATHS
/* under the repair claim: another repairer begins only when this one is dead and stopped */
proctype Repairer() {
  byte p, i, j, rkills; short w; bit own; mtype pc=LOOK;
#ifdef NOBARRIER
#define STOPPED true
#else
#define STOPPED stop[p]
#endif
#define TOREPAIR(p) (died[p] && !freed[p])
#ifdef TORNINTENT
#define INCHUNK inChunk[p]
#define INGEN inGen[p]
#define INTENDED true
#elif defined(NOINTENT)
#define INCHUNK 0
#define INGEN 0
#define INTENDED false
#else
#define INCHUNK CHUNK(intent[p])
#define INGEN GENOF(intent[p])
#define INTENDED (intent[p]!=0)
#endif
#ifdef INTENTBLIND
#define INTHATGEN true
#else
#define INTHATGEN (GENERATION(chunk[INCHUNK])==INGEN)
#endif
end:
  do
  :: d_step { pc==LOOK && (TOREPAIR(0) || TOREPAIR(1) || TOREPAIR(2) || TOREPAIR(3)) ->
       p=(TOREPAIR(0) -> 0 : (TOREPAIR(1) -> 1 : (TOREPAIR(2) -> 2 : 3))); pc=BARRIER }
  :: d_step { pc==BARRIER && STOPPED -> if :: PUBLISHES(p) -> pc=INTENT1 :: else -> pc=BITS fi }
  /* ---- a publisher's ---- */
  :: AT(INTENT1)
       if
       :: INTENDED && FILLING(chunk[INCHUNK]) && INTHATGEN -> i=INCHUNK; w=chunk[i]; pc=SCANLOG
       :: else -> own=1; pc=CHUNK1
       fi }
  :: d_step { pc==SCANLOG ->
       if
#ifndef NOSCAN
       :: j<N && NAMES(log[j],i,GENERATION(w)) -> j=0; w=0; pc=CHUNK1; if :: own -> i++ :: else -> i=0; own=1 fi
       :: j<N && !NAMES(log[j],i,GENERATION(w)) -> j++
#endif
       :: else -> j=0; pc=FREE1
       fi }
  :: AT(FREE1)
#ifdef PLAINFREE
       chunk[i]=FREEWORD(GENERATION(w));
#else
       if :: chunk[i]==w -> chunk[i]=FREEWORD(GENERATION(w)); FREED :: else fi;
#endif
       w=0; pc=CHUNK1; if :: own -> i++ :: else -> i=0; own=1 fi }
  :: d_step { pc==CHUNK1 && i<CHUNKS -> w=chunk[i]; if :: FILLING(w) && PEER(w)==p+1 -> pc=SCANLOG :: else -> w=0; i++ fi }
  :: d_step { pc==CHUNK1 && i==CHUNKS -> i=0; own=0;
#ifndef TORNINTENT
       intent[p]=0;
#endif
       pc=END }
  /* ---- a subscriber's ---- */
#ifdef NOBITS
  :: d_step { pc==BITS && i<CHUNKS -> i=CHUNKS }
#else
  :: d_step { pc==BITS && i<CHUNKS -> readers[i]=readers[i]&~(1<<(p-2)); i++ }
#endif
  :: d_step { pc==BITS && i==CHUNKS -> i=0;
#if LOSSLESS && !defined(NOCLAIMS)
       claim[p]=0;
#endif
       pc=END }
  :: AT(END) freed[p]=1; moved=15; p=0; pc=LOOK }
  :: d_step { rkills<RKILLS && pc!=LOOK -> rkills++; p=0; i=0; j=0; w=0; own=0; pc=LOOK }
  od
}
#endif
proctype Judge() { byte c, i, held; bit named; timeout ->
  d_step {
    assert((stop[0] || left[0]==0) && (stop[1] || left[1]==0) && (stop[3] || left[3]==0)
#if LOSSLESS && defined(HALT)
      || (claim[2] && stop[2]) || (claim[3] && stop[3])
#endif
      );
    c=0;
    do
    :: c==CHUNKS -> break
    :: c<CHUNKS -> named=0; i=0;
       do
       :: i==N -> break
       :: i<N -> if :: NAMES(log[i],c,GENERATION(chunk[c])) -> assert(!named); named=1 :: else fi; i++
       od;
       if :: named -> assert(FILLING(chunk[c])) :: else -> if :: FILLING(chunk[c]) -> held++ :: else fi fi;
       assert(readers[c]==0 || KILLS!=0);
#ifndef HALT
       assert(readers[c]==0);
#endif
       c++
    od;
#ifdef HALT
    assert(held<=stop[0]+stop[1]);
#else
    assert(held==0);
#if LOSSLESS
    assert((!claim[2] || (!stop[2] && cursor[2]==tickets)) && (!claim[3] || (!stop[3] && cursor[3]==tickets)));
#endif
#endif
  } }
init { atomic {
  left[0]=M0; left[1]=M1;
#if K3==3
  left[3]=1;
#endif
  run Publisher(0);
#if M1
  run Publisher(1);
#endif
#if K2==1
  run Lossy(2);
#elif K2==2
  run Lossless(2);
#endif
#if K3==1
  run Lossy(3);
#elif K3==2
  run Lossless(3);
#elif K3==3
  run Publisher(3);
#endif
#ifdef DEATHS
  run Repairer();
#endif
  run Judge() } }
