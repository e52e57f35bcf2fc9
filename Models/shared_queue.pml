/* shared_queue: storage, order, death and dropping of the queue of any number of senders and receivers (decision 0007).
 *
 * N slots and a ring of N entries.  A slot's word (claimant, state, generation) and an entry (lap, slot, generation; or empty for a lap) are changed by compare-exchange of the
 * whole; head and tail are plain stores of anybody's and may go backwards.  Two senders, two receivers.  A receiver acknowledges, or gives back (GIVES times in all).
 * SIGKILL before any statement of whoever is KILLABLE.  The repairer recovers it: barrier; the drop's count, or the record taken back; the slots; one more returned; all bits set.  It may
 * itself be killed before any statement (RKILLS): another begins anew.  That the life word is marked and the thread stops is one step, since only who repairs looks at the mark, and waits
 * for the stop (two steps with NOBARRIER and SCANEARLY, which do not).
 *
 * Abstract here: waiting (shared_queue_wait): whoever finds nothing waits until something has been published, given back, freed or repaired since it began to look;
 * deliveries and dead letters (states that nobody leaves); what is overdue (shared_queue_overdue); priorities (a ring each); of several returned messages any is taken, not the lowest ticket; a load that is
 * followed at once by a compare-exchange from what was loaded is one step with it, and so is a hint with what is looked at there; the payload is one byte.  Memory is sequentially consistent: all words here are changed by
 * compare-exchange, and the hints prove nothing.  A dead peer's name is never anybody's again (peers).
 *
 *   bounds        N, M0 and M1 (messages of each sender), RECEIVERS, GIVES, KILLS, KILLABLE (bit per party: 1, 2 senders, 4, 8 receivers), RKILLS
 *   -DDROP        drop-oldest: a sender without a slot takes the oldest message's
 *   -DHALT        who is "killed" is stopped for ever instead, and nobody's death is told
 *   -DGENMOD=n    an entry's generation has n values only
 *   -DRECHECK     who has loaded an entry and found its slot filled looks at the entry again before its compare-exchange         -> must hold, without deaths also with GENMOD=2
 *   -DSAMERECORD  with DROP: sender 1 joins when sender 0 is dead and repaired, and has its record
 *
 * What must hold: tickets are published without a gap, and taken from the ring in order; a message taken was published, is whole, and nobody else has it; it is acknowledged
 * once or dropped, or it is lost with its sender before its publication; who has a slot finds an entry.  When nothing moves any more: all published messages were received or
 * dropped, the counts of dropped messages are exact, all slots are free, with their bits set, and no sender waits.  With HALT: each stopped party costs one slot, at most one message.
 *
 * Seeded mistakes, each must be caught:
 *   -DNOGEN          entries carry no generation
 *   -DNOSCAN         a dead sender's slot is freed without a look at the ring
 *   -DSCANEARLY      the ring is looked through before the barrier
 *   -DNOBARRIER      nobody waits for the dead to stop
 *   -DPLAINFREE      who repairs frees the slot by a store, not from the word that it looked for in the ring
 *   -DPLAINCLEAR     an entry is emptied by a store
 *   -DCLEARFIRST     an entry is emptied before its slot is taken
 *   -DFREEFIRST      a receiver frees the slot before it empties the entry, and entries carry no generation
 *   -DPLAINPUT       an entry is filled by a store
 *   -DNOHELP         a sender that meets a stale entry of the last lap waits until somebody else has emptied it
 *   -DNOSETAGAIN     who has cleared a slot's bit does not look again
 *   -DNOREPAIRBITS   who repairs does not set the bits
 *   -DNORECOUNT      who repairs counts returned messages only if it returned any itself
 *   -DCOUNTFIRST     the count of returned moves before the message is returned
 *   -DSEARCHLATE     the count of returned is read after the search
 *   and with DROP:
 *   -DNOINTENT       the record says nothing before the slot is taken
 *   -DDROPCOUNTFIRST the count is stored before the slot is taken
 *   -DNOCANCEL       the record still names a slot that somebody else took: the sender may get the same slot with the next generation as a free one
 *   -DINTENTCOUNT    of the record, the new count is written first
 *   -DREPAIRLATE     the count is completed after the slots are repaired
 *   -DNORESET        with SAMERECORD: who repairs leaves a record that names a slot that the dead one did not get
 *   -DGENMOD=2 without -DRECHECK: who has loaded an entry is late by as many fillings of the slot as there are generations, and takes what is not its turn or not published
 * NOREPAIRBITS, NORECOUNT, NOHELP, NOCANCEL, INTENTCOUNT and NORESET are what decision 0007 left open when this was written.
 */
#ifndef N
#define N 2
#endif
#ifndef M0
#define M0 2
#endif
#ifndef M1
#define M1 1
#endif
#ifndef RECEIVERS
#define RECEIVERS 2
#endif
#ifndef GIVES
#define GIVES 0
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef KILLABLE
#define KILLABLE 5
#endif
#ifndef RKILLS
#define RKILLS 0
#endif
#ifndef GENMOD
#define GENMOD 64
#endif
#ifdef FREEFIRST
#define NOGEN
#endif
#ifdef NOGEN
#define GEN(g) 0
#else
#define GEN(g) ((g)%GENMOD)
#endif
#if KILLS && !defined(HALT)
#define DEATHS
#endif
#if defined(DEATHS) || GIVES
#define RETURNS
#endif

/* a slot's word: claimant + 1, state, generation */
#define FILLING 1
#define TAKEN 2
#define RETURNED 3
#define WORD(c,s,g) (((g)<<5)|((s)<<3)|(c))
#define CLAIMANT(w) ((w)&7)
#define STATE(w) (((w)>>3)&3)
#define GENERATION(w) ((w)>>5)
#define FREE(w) (STATE(w)==0)
/* an entry: lap, slot + 1 (0: empty for that lap), generation */
#define ENTRY(l,s,g) (((l)<<8)|(GEN(g)<<2)|((s)+1))
#define EMPTY(l) ((l)<<8)
#define LAP(e) ((e)>>8)
#define SLOT(e) (((e)&3)-1)
#define FULL(e) ((e)&3)
#define NAMES(e,s,g) (((e)&255)==((GEN(g)<<2)|((s)+1)))
/* its slot still has the message: not taken */
#define LIVE(e) (STATE(slot[SLOT(e)])==FILLING && NAMES(e,SLOT(e),GENERATION(slot[SLOT(e)])))
#define ALL ((1<<N)-1)

short slot[N], ring[N];
byte content[N], head, tail, bits=ALL;
#ifdef RETURNS
byte counted, searched;
#endif
#ifdef DROP
byte dropped[2], inSlot[2], inGen[2], inCount[2];
#ifdef SAMERECORD
#define RECORDOF(p) 0
#else
#define RECORDOF(p) (p)
#endif
#define RECORD RECORDOF(me)
#endif
bit  stop[4], died[4];
byte kills;
#if GIVES
byte gives;
#endif
#ifdef DEATHS
bit  freed[4];
#endif
byte moved;                            /* bit per party: something happened since it began to look */
#define PUBLISHED moved=15
#define FREED moved=moved|3
#define MOVED (moved&(1<<me))
/* ghosts; messages are bits: sender 0's 1, 2, 4, 8; sender 1's 16 to 128 */
byte published, received, droppedOnes, has[4], tickets, taken;
bit  placing[2];                       /* has a slot and not its entry */
#define OTHERHAS(x) (x!=me && has[x]==has[me] && !stop[x])
inline take() {                        /* ghost */
  has[me]=content[s];
  assert(has[me]!=0 && (published&has[me]) && !(received&has[me]) && !(droppedOnes&has[me]));
  assert(!OTHERHAS(2) && !OTHERHAS(3))
}
/* the entry of ticket x is emptied for the next lap, if it is still e */
inline clear(x) {
#ifdef PLAINCLEAR
  ring[(x)%N]=EMPTY(LAP(e)+1)
#else
  if :: ring[(x)%N]==e -> ring[(x)%N]=EMPTY(LAP(e)+1) :: else fi
#endif
}
inline claim(other) {
  if
  :: FREE(slot[s]) -> g=GENERATION(slot[s])+1; slot[s]=WORD(me+1,FILLING,g); content[s]=1<<(me*4+k); placing[me]=1; pc=PUT
  :: else -> pc=other
  fi
}
/* each step has one access to shared memory; hints come for nothing */
#ifdef SAMERECORD
#define JOINED && (me!=1 || freed[0])
#else
#define JOINED
#endif
#define MAYDIE (kills<KILLS && (KILLABLE & (1<<me)) && pc!=END && !died[me] JOINED)
#if KILLS==0
#define DYING(locals)
#elif defined(HALT)
#define DYING(locals) :: d_step { MAYDIE -> kills++; stop[me]=1; pc=END; locals }
#elif defined(NOBARRIER) || defined(SCANEARLY)
#define DYING(locals) :: d_step { MAYDIE -> kills++; died[me]=1 } :: d_step { died[me] && !stop[me] -> stop[me]=1; has[me]=0; pc=END; locals }
#else
#define DYING(locals) :: d_step { MAYDIE -> kills++; died[me]=1; stop[me]=1; has[me]=0; pc=END; locals }
#endif
#define AT(x) d_step { pc==x ->
mtype = { LOOK, WAIT, BITS, TRY, UNSET, AGAIN, OLDEST, JUDGE, INTENT1, INTENT2, INTENT3, EARLIER, SNATCH, COUNT, UNCOUNT, CANCEL, STALE, PUT, HELP, EMPTIED, TAIL,
  SEARCH, FOUND, FOUNDNONE, RING, TAKE, CLEAR, HEAD, DONE, BIT, BARRIER, DROPS, SLOT1, SCAN, FREE1, RECOUNT, REBITS, END };

proctype Sender(byte me) {
  byte k, t, s, g, claimant; short e; mtype pc=((me==0 -> M0 : M1)==0 -> END : LOOK);
end:
  do
  DYING(placing[me]=0; k=0; t=0; s=0; g=0; claimant=0; e=0)
  /* ---- a free slot: the tail's, or one that the bitmap has ---- */
  :: d_step { (pc==LOOK || (pc==WAIT && MOVED)) JOINED -> moved=moved&~(1<<me); t=tail; s=t%N; claim(BITS) }
  :: AT(BITS)
       if
       :: bits==0 -> s=0;
#ifdef DROP
          t=head; pc=OLDEST
#else
          t=0; pc=WAIT
#endif
       :: bits!=0 -> s=(bits&1 -> 0 : (bits&2 -> 1 : 2)); pc=TRY
       fi }
  :: AT(TRY) claim(UNSET) }
#ifdef NOSETAGAIN
  :: AT(UNSET) bits=bits&~(1<<s); pc=BITS }
#else
  :: AT(UNSET) bits=bits&~(1<<s); pc=AGAIN }
  :: AT(AGAIN) if :: FREE(slot[s]) -> pc=BIT :: else -> pc=BITS fi }
  :: AT(BIT) bits=bits|(1<<s); pc=BITS }
#endif
#ifdef DROP
  /* ---- the oldest message's ---- */
  :: AT(OLDEST) e=ring[t%N];
       if
       :: LAP(e)>t/N -> t=(LAP(e)-1)*N+t%N+1; e=0
       :: LAP(e)<t/N || (LAP(e)==t/N && !FULL(e)) -> t=0; e=0; pc=WAIT
       :: else -> pc=JUDGE
       fi }
  :: AT(JUDGE) s=SLOT(e); if :: LIVE(e) -> g=GENERATION(slot[s])+1; claimant=CLAIMANT(slot[s]); pc=FOUND :: else -> s=0; pc=STALE fi }
#ifdef RECHECK
  :: AT(FOUND) if :: ring[t%N]==e -> pc=INTENT1 :: else -> g=0; claimant=0; s=0; e=0; pc=OLDEST fi }
#else
#define INTENT1 FOUND
#endif
#ifdef NOINTENT
  :: AT(INTENT1) pc=EARLIER }
#elif defined(INTENTCOUNT)
  :: AT(INTENT1) inCount[RECORD]=dropped[RECORD]+1; pc=INTENT2 }
  :: AT(INTENT2) inSlot[RECORD]=s; pc=INTENT3 }
  :: AT(INTENT3) inGen[RECORD]=g; pc=EARLIER }
#else
  :: AT(INTENT1) inSlot[RECORD]=s; pc=INTENT2 }
  :: AT(INTENT2) inGen[RECORD]=g; pc=INTENT3 }
  :: AT(INTENT3) inCount[RECORD]=dropped[RECORD]+1; pc=EARLIER }
#endif
#ifdef DROPCOUNTFIRST
  :: AT(EARLIER) dropped[RECORD]=dropped[RECORD]+1; pc=SNATCH }
#define DROPPED PUT
#define NOTDROPPED UNCOUNT
  :: AT(UNCOUNT) dropped[RECORD]=dropped[RECORD]-1; pc=CANCEL }
#else
  :: AT(EARLIER) pc=SNATCH }
#define DROPPED COUNT
#define NOTDROPPED CANCEL
  :: AT(COUNT) dropped[RECORD]=dropped[RECORD]+1; pc=PUT }
#endif
  :: AT(SNATCH)
       if
       :: slot[s]==WORD(claimant,FILLING,g-1) ->
          assert((published&content[s]) && !(received&content[s]) && !(droppedOnes&content[s]));
          assert(t>=taken); taken=t+1; droppedOnes=droppedOnes|content[s];
          slot[s]=WORD(me+1,FILLING,g); content[s]=1<<(me*4+k); placing[me]=1; e=0; pc=DROPPED
       :: else -> g=0; e=0; s=0; t=0; pc=NOTDROPPED
       fi; claimant=0 }
#ifdef NOCANCEL
  :: AT(CANCEL) pc=LOOK }
#else
  :: AT(CANCEL) inCount[RECORD]=dropped[RECORD]; pc=LOOK }
#endif
  :: AT(STALE) clear(t); t++; e=0; pc=OLDEST }
#endif
  /* ---- publish ---- */
#ifdef PLAINPUT
  :: d_step { pc==PUT && e==0 && ring[t%N]==EMPTY(t/N) -> e=1 }
  :: d_step { pc==PUT && (e!=0 || ring[t%N]!=EMPTY(t/N)) ->
#else
  :: AT(PUT)
#endif
       if
#ifdef PLAINPUT
       :: e!=0 -> e=0;
#else
       :: ring[t%N]==EMPTY(t/N) ->
#endif
          ring[t%N]=ENTRY(t/N,s,g); g=0;
          assert(t==tickets); tickets++; assert(!(published&content[s])); published=published|content[s]; placing[me]=0; PUBLISHED; pc=TAIL
       :: else -> e=ring[t%N];
          if
          :: LAP(e)>=t/N -> t=(FULL(e) -> LAP(e) : LAP(e)-1)*N+t%N+1; e=0
          :: else -> assert(FULL(e) && LAP(e)+1==t/N); pc=HELP
          fi
       fi }
#ifdef NOHELP
  :: d_step { pc==HELP && ring[t%N]!=e -> e=0; pc=PUT }
#else
  :: AT(HELP) if :: LIVE(e) -> assert(ring[t%N]!=e); e=0; pc=PUT :: else -> pc=EMPTIED fi }      /* who has a slot finds an entry */
  :: AT(EMPTIED) clear(t); e=0; pc=PUT }
#endif
  :: AT(TAIL) tail=t+1; t=0; s=0; k++; if :: k==(me==0 -> M0 : M1) -> k=0; pc=END :: else -> pc=LOOK fi }
  od
}

#ifdef RECHECK
#define LOCALS h=0; s=0; c=0; e=0; got=0; w=0
#else
#define LOCALS h=0; s=0; c=0; e=0; got=0
#endif
proctype Receiver(byte me) {
  byte h, s, c; short e; bit got; mtype pc=LOOK;
#ifdef RECHECK
  short w;
#endif
end:
  do
  DYING(LOCALS)
#ifdef RETURNS
  /* ---- what was returned ---- */
  :: d_step { pc==LOOK || (pc==WAIT && MOVED) -> moved=moved&~(1<<me); if :: counted!=searched -> c=counted; pc=SEARCH :: else -> h=head; pc=RING fi }
  :: AT(SEARCH)
       if
       :: s==N ->
#ifdef SEARCHLATE
          c=counted;
#endif
          searched=c; s=0; c=0; h=head; pc=RING
       :: s<N && STATE(slot[s])==RETURNED -> slot[s]=WORD(me+1,TAKEN,GENERATION(slot[s])); take(); c=0; pc=DONE
       :: else -> s++
       fi }
  :: d_step { pc==RING ->
#else
  :: d_step { pc==RING || pc==LOOK || (pc==WAIT && MOVED) -> if :: pc!=RING -> moved=moved&~(1<<me); h=head :: else fi;
#endif
  /* ---- the ring ---- */
       e=ring[h%N];
       if
       :: LAP(e)>h/N -> h=(LAP(e)-1)*N+h%N+1; e=0; pc=RING
       :: LAP(e)<h/N || (LAP(e)==h/N && !FULL(e)) -> e=0; h=0; pc=WAIT
       :: else ->
#ifdef CLEARFIRST
          pc=CLEAR
#else
          pc=TAKE
#endif
       fi }
#ifdef RECHECK
  :: AT(TAKE) s=SLOT(e); w=slot[s]; if :: LIVE(e) -> pc=AGAIN :: else -> w=0; pc=CLEAR fi }
  :: AT(AGAIN) if :: ring[h%N]==e -> pc=FOUND :: else -> w=0; e=0; s=0; pc=RING fi }
  :: AT(FOUND)
       if
       :: slot[s]==w -> slot[s]=WORD(me+1,TAKEN,GENERATION(w)); assert(h>=taken); taken=h+1; take(); got=1; pc=CLEAR
       :: else -> pc=TAKE
       fi; w=0 }
  :: AT(CLEAR) clear(h); e=0; if :: got -> pc=HEAD :: else -> h++; s=0; pc=RING fi }
#else
  :: AT(TAKE)
       s=SLOT(e);
       if
       :: LIVE(e) -> slot[s]=WORD(me+1,TAKEN,GENERATION(slot[s])); assert(h>=taken); taken=h+1; take(); got=1
       :: else
       fi;
#ifdef CLEARFIRST
       if :: got -> pc=HEAD :: else -> h++; s=0; pc=RING fi;
       e=0 }
  :: AT(CLEAR) clear(h); pc=TAKE }
#elif defined(FREEFIRST)
       if :: got -> pc=DONE :: else -> pc=CLEAR fi }
  :: AT(CLEAR) clear(h); e=0; if :: got -> pc=HEAD :: else -> h++; s=0; pc=RING fi }
#else
       pc=CLEAR }
  :: AT(CLEAR) clear(h); e=0; if :: got -> pc=HEAD :: else -> h++; s=0; pc=RING fi }
#endif
#endif
  :: AT(HEAD) head=h+1; h=0; got=0;
#ifdef FREEFIRST
       s=0; pc=LOOK }
#else
       pc=DONE }
#endif
  /* ---- done with it, or not ---- */
  :: AT(DONE)
       if
       :: slot[s]==WORD(me+1,TAKEN,GENERATION(slot[s])) -> slot[s]=WORD(0,0,GENERATION(slot[s])); assert(!(received&has[me])); received=received|has[me]
       :: else -> assert(died[me])
       fi;
       has[me]=0; pc=BIT }
#ifdef FREEFIRST
  :: AT(BIT) bits=bits|(1<<s); FREED; s=0; if :: e!=0 -> pc=CLEAR :: else -> pc=LOOK fi }
#else
  :: AT(BIT) bits=bits|(1<<s); FREED; s=0; pc=LOOK }
#endif
#if GIVES
#ifdef COUNTFIRST
  :: d_step { pc==DONE && gives<GIVES -> gives++; counted++; PUBLISHED; pc=COUNT }
  :: AT(COUNT)
#else
  :: d_step { pc==DONE && gives<GIVES -> gives++;
#endif
       if
       :: slot[s]==WORD(me+1,TAKEN,GENERATION(slot[s])) -> slot[s]=WORD(0,RETURNED,GENERATION(slot[s]))
       :: else -> assert(died[me])
       fi;
       has[me]=0; s=0;
#ifdef COUNTFIRST
       pc=LOOK }
#else
       pc=COUNT }
  :: AT(COUNT) counted++; PUBLISHED; pc=LOOK }
#endif
#endif
  od
}

#ifdef DEATHS
/* under the repair claim: another repairer begins only when this one is dead and stopped */
proctype Repairer() {
  byte p, i, j, rkills; short w; bit f, any; mtype pc=LOOK;
#if defined(NOBARRIER) || defined(SCANEARLY)
#define STOPPED true
#else
#define STOPPED stop[p]
#endif
end:
  do
  :: d_step { pc==LOOK && ((died[0] && !freed[0]) || (died[1] && !freed[1]) || (died[2] && !freed[2]) || (died[3] && !freed[3])) ->
       p=(died[0] && !freed[0] -> 0 : (died[1] && !freed[1] -> 1 : (died[2] && !freed[2] -> 2 : 3))); pc=BARRIER }
  :: d_step { pc==BARRIER && STOPPED ->
#if defined(DROP) && !defined(REPAIRLATE) && !defined(NOINTENT)
       if :: p<2 -> f=(slot[inSlot[RECORDOF(p)]]==WORD(p+1,FILLING,inGen[RECORDOF(p)])); pc=DROPS :: else -> pc=SLOT1 fi }
  :: AT(DROPS) if :: f -> dropped[RECORDOF(p)]=inCount[RECORDOF(p)]; f=0 :: else
#ifndef NORESET
       -> inCount[RECORDOF(p)]=dropped[RECORDOF(p)]
#endif
       fi; pc=SLOT1 }
#else
       pc=SLOT1 }
#endif
  :: AT(SLOT1)
       if
       :: i==N -> i=0; pc=RECOUNT
       :: else -> w=slot[i];
          if
#ifdef NOSCAN
          :: CLAIMANT(w)==p+1 && STATE(w)==FILLING -> pc=FREE1
#else
          :: CLAIMANT(w)==p+1 && STATE(w)==FILLING -> pc=SCAN
#endif
          :: CLAIMANT(w)==p+1 && STATE(w)==TAKEN -> pc=FREE1
          :: else -> i++; w=0
          fi
       fi }
  :: AT(SCAN) if :: NAMES(ring[j],i,GENERATION(w)) -> f=1 :: else fi; j++;
       if :: f -> f=0; j=0; w=0; i++; pc=SLOT1 :: !f && j==N -> j=0; pc=FREE1 :: else fi }
#ifdef SCANEARLY
  :: d_step { pc==FREE1 && stop[p] ->
#else
  :: AT(FREE1)
#endif
       if
#ifdef PLAINFREE
       :: STATE(w)==FILLING -> slot[i]=WORD(0,0,GENERATION(w))
#else
       :: STATE(w)==FILLING && slot[i]==w -> slot[i]=WORD(0,0,GENERATION(w))
#endif
       :: STATE(w)==TAKEN && slot[i]==w -> slot[i]=WORD(0,RETURNED,GENERATION(w)); any=1
       :: else
       fi; w=0; i++; pc=SLOT1 }
#ifdef NORECOUNT
  :: AT(RECOUNT) if :: any -> counted++ :: else fi; pc=REBITS }
#else
  :: AT(RECOUNT) counted++; pc=REBITS }
#endif
  :: AT(REBITS)
#ifndef NOREPAIRBITS
       bits=ALL;
#endif
#if defined(DROP) && defined(REPAIRLATE)
       if :: p<2 && slot[inSlot[p]]==WORD(p+1,FILLING,inGen[p]) -> pc=DROPS :: else -> pc=END fi }
  :: AT(DROPS) dropped[p]=inCount[p]; pc=END }
#else
       pc=END }
#endif
  :: AT(END) freed[p]=1; PUBLISHED; p=0; any=0; pc=LOOK }
  :: d_step { rkills<RKILLS && pc!=LOOK -> rkills++; p=0; i=0; j=0; w=0; f=0; any=0; pc=LOOK }
  od
}
#endif
#if N>2
#define NOTFREE ((!FREE(slot[0]))+(!FREE(slot[1]))+(!FREE(slot[2])))
#define HIDDEN ((!(bits&1))+(!(bits&2))+(!(bits&4)))
#else
#define NOTFREE ((!FREE(slot[0]))+(!FREE(slot[1])))
#define HIDDEN ((!(bits&1))+(!(bits&2)))
#endif
#define COUNTOF(x) (((x)&1)+((x)>>1&1)+((x)>>2&1)+((x)>>3&1)+((x)>>4&1)+((x)>>5&1)+((x)>>6&1)+((x)>>7&1))
#ifdef HALT
#define HELDUP (kills>=N)               /* by as many as there are slots */
#else
#define HELDUP false
#endif
#define SERVED (!stop[2] || (RECEIVERS>1 && !stop[3]))
proctype Judge() { byte left; timeout ->
  d_step {
    left=published&~(received|droppedOnes);
    assert(!placing[0] && !placing[1]);
    if
#ifdef SAMERECORD
    :: !freed[0]
    :: SERVED && freed[0] ->
#else
    :: SERVED ->
#endif
       assert(HELDUP || ((stop[0] || (published&15)==(1<<M0)-1) && (stop[1] || (published>>4)==(1<<M1)-1)));
#ifdef HALT
       assert(NOTFREE<=kills && HIDDEN<=kills);
       assert(COUNTOF(left)<=kills)
#else
       assert(left==0);
       assert(NOTFREE==0 && HIDDEN==0)
#endif
    :: else
    fi;
#if defined(DROP) && !defined(HALT)
    left=droppedOnes;
    assert(dropped[0]+dropped[1]==COUNTOF(left))
#endif
  } }
init { atomic {
  run Sender(0); run Sender(1); run Receiver(2);
#if RECEIVERS>1
  run Receiver(3);
#endif
#ifdef DEATHS
  run Repairer();
#endif
  run Judge() } }
