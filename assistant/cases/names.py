"""Words that tell a person's name from other words that begin with a capital letter."""

from __future__ import annotations

# Common given names, those that are plain English words or months left out.
_GIVEN = """
aaron abdul abdullah abigail adam adrian agnes ahmad ahmed aisha alan albert alejandro alex
alexander alexandra alexis alfred ali alice alicia alison allan allen allison amanda amelia
amina amir amy ana anastasia andre andrea andreas andrew andy angel angela angelica anita ann
anna anne annette annie anthony antonio anya arjun arnold arthur audrey barbara barry beatrice
belinda ben benjamin bernard bernice bertha beth betty beverly bianca bob bonnie brad bradley
brandon brenda brent brett brian bridget bruce bryan caitlin calvin cameron camille carl carla
carlos carmen carol carole caroline carolyn carrie cassandra catherine cathy cecilia chad
charlene charles charlotte chen cheryl chloe chris christian christina christine christopher
cindy claire clara clarence claude claudia clayton clifford clyde colin colleen connie conrad
constance corey courtney craig cristina curtis cynthia dale dan dana daniel danielle danny
daphne darlene darrell darren dave david deborah debra deepak denise dennis derek diana diane
diego dmitri dolores dominic don donald donna doris dorothy douglas duane dustin dwayne dwight
earl eddie edgar edith edna eduardo edward edwin eileen elaine eleanor elena eli elias elijah
elizabeth ella ellen elmer elsie emil emily emma enrique eric erica erik erin ernest esther
ethan ethel eugene eunice eva evan evelyn fatima felix fernando fiona florence floyd frances
francis francisco frank franz fred frederick gabriel gabriela gail gary gavin gene geoffrey
george gerald geraldine gerard gertrude gilbert gina giovanni gladys glen glenda glenn gloria
gordon graham greg gregory greta guillermo gustavo hannah hans harold harry harvey hassan hector
heidi helen helena henry herbert herman hiroshi howard hugh hugo ian ibrahim ida igor inez
ingrid irene irina isaac isabel isabella ivan jack jacob jacqueline jaime jake jamal james jamie
jan jane janet janice jared jason javier jay jean jeanette jeff jeffrey jenna jennifer jenny
jeremy jerome jerry jesse jessica jesus jill jim jimmy joan joann joanna joanne joe joel johan
john johnny jon jonathan jordan jorge jose joseph joshua joyce juan juanita judith judy julia
julian julie julio jun justin kai karen karim karl kate katherine kathleen kathryn kathy katie
katrina kayla keith kelly ken kenneth kevin khalid kim kimberly kofi krista kristen kristin
kumar kurt kyle lance larry latoya laura lauren laurie lawrence leah lee leila leo leon leonard
leroy leslie lewis liam lila lillian linda lisa lloyd lois lonnie loretta lori lorraine louis
louise lucas lucia lucille lucy luis lukas luke luz lydia lynn mabel madison mahmoud malcolm
manuel marcel marcia marcus margaret margarita maria mariam marian marie marilyn mario marion
marjorie marlene marsha marshall martha martin marvin mary maryam mateo matthew maureen maurice
megan mehmet mei melanie melinda melissa melvin mercedes meredith michael michel michele
michelle miguel mike mildred milton ming miriam mitchell mohamed mohammad mohammed moira molly
monica monique morris moses muhammad myra myrtle nadia nadine nancy naomi natalia natalie
natasha nathan nathaniel neil nelson nicholas nicolas nicole nigel nikolai nina nora norma
norman olga oliver olivia omar oscar otto owen pablo pamela patricia patrick patsy paul paula
pauline pedro peggy penelope perry peter philip phillip phyllis pierre priya rachel rafael raj
ralph ramon randall randy raquel rashid ravi raymond rebecca reginald rene renee rhonda ricardo
richard rick ricky rita robert roberta roberto rodney roger roland ronald ronnie rosa rosemary
rosie ross roxanne roy ruben rudolf russell ruth ryan sabrina sally salvador sam samantha samir
samuel sandra sanjay sara sarah scott sean sebastian sergei sergio seth shane shannon sharon
shawn sheila shelby shelley sherri sherry shirley sidney silvia simon sofia sonia sophia sophie
stacey stacy stanley stefan stella stephen steve steven stuart susan suzanne sven svetlana
sylvia tamara tammy tania tara tatiana ted teresa terrance terry thelma theodore theresa thomas
tiffany tim timothy tina todd tom tommy toni tony tracey traci tracy travis trevor tyler valerie
vanessa vera verna vernon veronica vicki victor victoria vijay vincent virginia vivian vladimir
wade wallace walter wanda warren wayne wei wendell wendy wesley wilfred william willie winifred
xavier yasmin yolanda yuki yusuf yvette yvonne zachary zainab zoe
"""
# Words after a title or a "by" that end a name or are none, and those that reports begin with a
# capital letter for other reasons.
_NO_NAMES = """
a abnormal about above accession acute addendum additional address admission admitted after
afternoon age aged agree agreed agrees all also although am an and anesthesia anesthesiology
angiogram any ap approximately are area as assistant at atelectasis attending available aware
back base bases be bed bedside been before being below between bilateral bones bony both but by
call called calling can carcinoma cardiac cardiology cardiothoracic care case catheter center
central change charge chart chest chronic clear clinic clinical clinician clip cm code comment
communicated communication comparison completed computed concern concerning conclusion concur
conference consider consult consultant consultation contacted control copy correlate correlation
cough could criteria critical ct date dated day days degenerative department dictated dictation
did direct director discharge discussed discussion disease distress do dob doctor doctors done
dose down dr drain due during dyspnea each ed edema effusion electronically email emergency end
ent er erect et evaluate evaluation evening exam examination examined facility family fax fellow
female fever film films filter final finding findings first floor follow following for former
fracture frcr from full further gastroenterology gender general gi given had has have he heart
her hernia hilar him his history home hospital hospitalist hours house how however icu if image
images imaging impression in indicated indication infection infectious informed inpatient
intensive intensivist internal interpretation interpreted interval interventional into is it its
just known lab laboratory large last lateral left lesion line lines low lower lung lungs
lymphoma male man manager mass md mediastinal mediastinum medical medicine message midline mild
minute minutes mm moderate morning mr mri mrn ms name namely near neck nephrology neurology
neurosurgery new newborn next nicu night no node nodes nodule noncontrast none nor normal not
note noted notes notification notified now np number nurse nursing obtained of office old on
oncology one only opacities opacity operating operator or order ordered ordering orthopedics
osseous other our out outpatient outside over pa pac pacs paged pager pain parents part patient
patients pediatric pediatrics pending per personally phd phone physician physicians picu plain
please pleural portable portably position possible post practitioner preliminary present
previous prior probable procedure process provider pulmonary pump quality question radiograph
radiographer radiographic radiographs radiologist radiologists radiology read reader reading
reason receipt received recommend recommendation recommendations recommended referred referring
regarding reminder report reported reports request requested resident result results review
reviewed rib ribs right ring risk rn room routine said same sarcoma save scale scan scheduled
score seated second see seen sent service setting several sex she shortness should shunt side
sign signature signed significant since small soft spine spoke spoken stable staff stage staging
standard standing status stent still student study subject supine surgeon surgery surgical
syndrome system team technical technician technique technologist telephone telephonically tell
test than that the their them then there these they this thoracic those through time tip to
today told tomorrow transcribed transcription trauma treating treatment triage tube tumor tumour
two type ultrasound under unit unknown until up upper upright urgent us valve vascular verbal
verbally verified very via view views visit was we were when where which while who whose will
with within without woman would wound written xr xray year years yesterday your
"""
# Small words inside a name.
_PARTICLES = "van von der den de del della di da dos la le el al bin ibn ben abu st"

GIVEN = frozenset(_GIVEN.split())
NO_NAMES = frozenset(_NO_NAMES.split())
PARTICLES = frozenset(_PARTICLES.split())
